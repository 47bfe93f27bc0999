"""Rules for clouds and remote calls: AWS (botocore and its CLI), Google Cloud, Azure, gRPC,
object stores, mail.

Owns their error codes, which say more than the HTTP status beside them.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule


def _aws(kind: Kind, codes: str, *, level: Level = Level.SPECIFIC) -> Rule:
    """Match `An error occurred (Code) when calling ...`, `<Code>Code</Code>` and `Code: ...`."""
    return Rule(
        f"aws.{kind.value}",
        kind,
        pattern=rf"an error occurred \((?:{codes})\)|<code>(?:{codes})</code>"
        rf"|\"(?:code|__type)\" ?: ?\"(?:[\w.]{{1,80}}#)?(?:{codes})\"|'code': '(?:{codes})'"
        rf"|\b(?:errorcode|error_code|errortype)\W{{1,3}}(?:{codes})\b|^(?:{codes})\b ?:"
        rf"|\bcode: (?:{codes})\b|\bapi error (?:{codes})\b"
        rf"|: (?:{codes}): .{{0,400}}\bstatus code: \d{{3}}\b",
        level=level,
    )


def _grpc(kind: Kind, codes: str, *, level: Level = Level.SPECIFIC, unless: str = "") -> Rule:
    return Rule(
        f"grpc.{kind.value}",
        kind,
        pattern=rf"\b(?:statuscode\.|rpc error: code = |grpc_status:\W?)(?:{codes})\b"
        rf"|\"status\" ?: ?\"(?:{codes})\"|\b(?:{codes}): |\b'?status'?: '(?:{codes})'"
        rf"|\bstatus(?: code)?[ =:]{{1,3}}(?:{codes})\b",
        level=level,
        unless=unless,
    )


RULES: tuple[Rule, ...] = (
    # AWS
    _aws(
        Kind.QUOTA,
        r"ServiceQuotaExceeded\w*|\w*LimitExceeded\w*|\w*QuotaExceeded\w*"
        "|VcpuLimitExceeded|InstanceLimitExceeded|AddressLimitExceeded"
        "|SubscriptionRequiredException|OptInRequired|TooManyBuckets"
        "|MaxSpotInstanceCountExceeded",
    ),
    Rule(
        "aws.not_quota",
        Kind.RATE_LIMIT,
        pattern=r"\b(?:RequestLimitExceeded|BandwidthLimitExceeded|LimitExceededException: rate)"
        r"|LimitExceededException\b.{0,200}(?:simultaneous|concurren|per second)",
        level=Level.DECISIVE,
    ),
    _aws(
        Kind.AUTH,
        r"ExpiredToken\w*|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidClientTokenId"
        r"|UnrecognizedClient\w*|AuthFailure|MissingAuthenticationToken\w*|InvalidToken"
        r"|RequestExpired|RequestTimeTooSkewed|TokenRefreshRequired|IncompleteSignature\w*"
        r"|InvalidSignature\w*|AuthorizationHeaderMalformed|MissingSecurityHeader"
        "|NotAuthorizedException|InvalidIdentityToken|IDPCommunicationError"
        "|AccessKeyDisabled|Unauthorized(?:Exception)?",
        level=Level.DECISIVE,
    ),
    _aws(
        Kind.PERMISSION,
        r"AccessDenied\w*|UnauthorizedOperation|UnauthorizedAccess|Forbidden"
        r"|AllAccessDisabled|OperationNotPermitted\w*|InvalidObjectState"
        r"|KMSAccessDenied\w*|AccountProblem|AuthorizationError\w*",
    ),
    _aws(
        Kind.RATE_LIMIT,
        r"Throttl\w{1,80}|TooManyRequests\w*|RequestLimitExceeded|SlowDown"
        r"|ProvisionedThroughputExceeded\w*|RequestThrottled\w*|BandwidthLimitExceeded"
        "|PriorRequestNotComplete|EC2ThrottledException|RateExceeded"
        "|TransactionInProgressException",
        level=Level.DECISIVE,
    ),
    _aws(
        Kind.OVERLOADED,
        r"InternalError|InternalFailure|InternalServer\w*|ServiceUnavailable\w*"
        r"|Unavailable|ServerUnavailable|ServiceException|ServiceFailure\w*"
        r"|InsufficientInstanceCapacity|InsufficientCapacity\w*|ModelNotReady\w*"
        r"|ModelError\w*|DependencyFailure\w*|KMSInternal\w*|ServerException",
    ),
    _aws(Kind.TIMEOUT, r"RequestTimeout\w*|ModelTimeout\w*|GatewayTimeout|RequestTimeoutException"),
    _aws(
        Kind.LOCK,
        r"ConditionalRequestConflict|TransactionConflict\w*|TransactionCanceled\w*"
        r"|OperationAborted|ConcurrentModification\w*|OptimisticLock\w*"
        r"|DependencyViolation|IncorrectInstanceState|ResourceConflict\w*|VolumeInUse"
        r"|ResourceNotReadyException|ScalingActivityInProgress\w*",
    ),
    _aws(
        Kind.RESOURCE_CONFLICT,
        r"\w*AlreadyExists\w*|BucketAlreadyOwnedByYou|EntityAlreadyExists\w*"
        r"|ConditionalCheckFailed\w*|PreconditionFailed|BucketNotEmpty|Conflict\w*"
        r"|DeleteConflict\w*|\w*\.Duplicate|DuplicateRequest|QueueAlreadyExists"
        "|NameConflict|InvalidBucketState",
        level=Level.SPECIFIC,
    ),
    _aws(
        Kind.NOT_FOUND,
        r"NoSuch\w{1,80}|\w*NotFound(?!Error)\w*|QueueDoesNotExist"
        r"|AWS\.SimpleQueueService\.NonExistentQueue|NonExistentQueue|\w*DoesNotExist\w*",
    ),
    _aws(
        Kind.INPUT_FORMAT,
        r"EntityTooLarge|EntityTooSmall|MalformedXML|MalformedPolicyDocument\w*"
        r"|InvalidDigest|BadDigest|InvalidPart\w*|IncompleteBody|MissingContentLength"
        r"|SerializationException|RequestEntityTooLarge\w*|MalformedQueryString"
        r"|MalformedInput\w*|XAmzContentSHA256Mismatch|BatchRequestTooLong"
        r"|ItemCollectionSizeLimitExceeded\w*|KeyTooLongError|UnprocessableEntityException"
        r"|InvalidRequestContent\w*",
    ),
    _aws(
        Kind.INVALID_CONFIG,
        r"InvalidParameter\w*|InvalidBucketName|InvalidArgument|PermanentRedirect"
        r"|IllegalLocationConstraint\w*|InvalidRegion|MethodNotAllowed|UnknownOperation\w*"
        "|InvalidAction|UnsupportedOperation|MissingParameter|InvalidParameterCombination"
        "|AuthorizationHeaderMalformed|InvalidRequest|UnsupportedArgument|NotImplemented"
        r"|InvalidLocationConstraint|InvalidStorageClass|InvalidAMIID\.Malformed"
        "|OptInRequired|ValidationError",
        level=Level.GENERAL,
    ),
    _aws(Kind.INPUT_FORMAT, r"ValidationException|Validation\w*", level=Level.DEFAULT),
    Rule(
        "aws.no_credentials",
        Kind.AUTH,
        words="unable to locate credentials | no valid credential source | the config profile"
        " | error loading sso token"
        " | sso session associated with this profile has expired"
        " | token has expired and refresh failed | partial credentials found"
        " | unable to parse config file | error when retrieving credentials"
        " | credentials were refreshed, but | no credential | the sso session",
        level=Level.DECISIVE,
        unless="the config profile .{1,60} could not be found|unable to parse config file",
    ),
    Rule(
        "aws.setup",
        Kind.INVALID_CONFIG,
        words="could not be found | unable to parse config file | you must specify a region"
        ' | invalid endpoint | could not connect to the endpoint url: "none'
        " | parameter validation failed | unknown parameter in input"
        " | invalid bucket name | provided region_name | unknown options:"
        " | error parsing parameter | invalid choice, valid choices are"
        " | invalid type for parameter | invalid length for parameter | unknown service"
        " | usage: aws | max retries must be | the following arguments are required"
        " | paramvalidation",
        pattern=r"the config profile \(.{1,60}\) could not be found|bad value for --query",
        unless=r"(?<!\) )could not be found(?! *$)|\A(?!(?s:.*)(?:aws|boto|region|config profile"
        "|endpoint|parameter|bucket|unknown (?:service|options)))",
    ),
    Rule(
        "aws.endpoint",
        Kind.NETWORK,
        words="could not connect to the endpoint url"
        " | connection was closed before we received a valid response"
        " | failed to connect to proxy url",
        pattern="endpointconnectionerror",
    ),
    Rule("aws.timeout", Kind.TIMEOUT, pattern="(?:read|connect) timeout on endpoint url"),
    # gRPC
    _grpc(Kind.CANCELLED, "CANCELLED|CANCELED"),
    _grpc(Kind.AUTH, "UNAUTHENTICATED"),
    _grpc(Kind.PERMISSION, "PERMISSION_DENIED|PermissionDenied"),
    Rule(
        "grpc.too_large",
        Kind.INPUT_FORMAT,
        pattern="received message larger than max|message larger than max"
        "|trying to send message larger",
        level=Level.DECISIVE,
    ),
    _grpc(Kind.RATE_LIMIT, "RESOURCE_EXHAUSTED|ResourceExhausted", level=Level.GENERAL),
    Rule(
        "grpc.connect",
        Kind.NETWORK,
        pattern="failed to connect to all addresses|reset reason: (?:connection|remote|local"
        "|protocol)|errors resolving|address lookup failed|domain name not found"
        "|connections to all backends failing|name resolver|dns resolution failed"
        "|socket closed|http2 header with status|transport: error while dialing"
        "|connection error: desc|stream removed|received rst_stream|goaway received"
        "|ssl_error_ssl|handshake failed|tcp user timeout|no connection established"
        "|name resolution failed",
        unless="certificate_verify_failed|certificate verify failed|status: (?:401|403|404"
        r"|5\d\d)|x509",
    ),
    _grpc(
        Kind.OVERLOADED,
        "UNAVAILABLE|Unavailable|INTERNAL",
        level=Level.GENERAL,
        unless="failed to connect|connection refused|socket closed|dns|connection reset",
    ),
    _grpc(Kind.TIMEOUT, "DEADLINE_EXCEEDED|DeadlineExceeded"),
    _grpc(Kind.LOCK, "ABORTED|Aborted"),
    _grpc(Kind.RESOURCE_CONFLICT, "ALREADY_EXISTS|AlreadyExists"),
    _grpc(Kind.NOT_FOUND, "NOT_FOUND|NotFound"),
    _grpc(
        Kind.INPUT_FORMAT,
        "INVALID_ARGUMENT|InvalidArgument|OUT_OF_RANGE|OutOfRange",
        level=Level.DEFAULT,
    ),
    _grpc(Kind.INVALID_CONFIG, "UNIMPLEMENTED|Unimplemented"),
    _grpc(Kind.INVALID_CONFIG, "FAILED_PRECONDITION|FailedPrecondition", level=Level.DEFAULT),
    _grpc(Kind.CRASH, "DATA_LOSS|DataLoss"),
    _grpc(Kind.UNKNOWN, "(?-i:UNKNOWN)", level=Level.DEFAULT),
    # Google Cloud
    Rule(
        "gcp.auth",
        Kind.AUTH,
        words="gcloud auth login | gcloud auth application-default login"
        " | you do not currently have an active account selected"
        " | reauthentication failed | default credentials"
        " | request had invalid authentication credentials"
        " | there was a problem refreshing your current auth tokens | acs_token"
        " | anonymous caller does not have"
        " | request is missing required authentication credential",
        pattern=r"\breason['\"]?: ['\"](?:authError|ACCESS_TOKEN_EXPIRED|API_KEY_INVALID"
        "|CREDENTIALS_MISSING)",
    ),
    Rule(
        "gcp.permission",
        Kind.PERMISSION,
        pattern=r"caller does not have permission|does not have \S{1,80} (?:access|permission)"
        "|iam_permission_denied|service_disabled|has not been used in project"
        "|accessnotconfigured|vpc service controls",
    ),
    Rule(
        "gcp.rate",
        Kind.RATE_LIMIT,
        pattern="ratelimitexceeded|userratelimitexceeded"
        "|quota exceeded for (?:quota )?metric.{1,400}per ?(?:minute|second|100 seconds)"
        "|rate_limit_exceeded",
        unless="per day",
        level=Level.DECISIVE,
    ),
    Rule(
        "gcp.quota",
        Kind.QUOTA,
        pattern=r"quotaexceeded|dailylimitexceeded|\bquotas? (?:was |were |is )?(?:exceeded|violated)"
        r"|quota '[\w-]{1,80}' exceeded|\bexceed(?:s|ed|ing)? (?:\w{1,30} ){0,3}quotas?\b"
        r"|\bdue to quota|\b(?:additional|increase in|more) quota\b"
        "|insufficient (?:regional |project )?quota|zone_resource_pool_exhausted|billing_disabled"
        "|quota_exceeded",
        unless="per ?minute|per ?second|per 100 seconds|zone_resource_pool|disk quota|rate quota",
        level=Level.DECISIVE,
    ),
    Rule(
        "gcp.capacity",
        Kind.OVERLOADED,
        words="zone_resource_pool_exhausted | does not have enough resources available to fulfill",
    ),
    # Azure
    Rule(
        "azure.auth",
        Kind.AUTH,
        words="please run 'az login' | aadsts | invalidauthenticationtoken"
        " | expiredauthenticationtoken | az login | authenticationfailed"
        " | server failed to authenticate the request | noauthenticationinformation"
        " | defaultazurecredential failed",
    ),
    Rule(
        "azure.permission",
        Kind.PERMISSION,
        words="authorizationfailed | authorizationpermissionmismatch"
        " | does not have authorization to perform action | linkedauthorizationfailed"
        " | publicaccessnotpermitted | authorizationfailure"
        " | insufficientaccountpermissions",
    ),
    Rule(
        "azure.quota",
        Kind.QUOTA,
        words=""
        "operationnotallowed: operation could not be completed as it results in exceeding approved"
        " | exceeding approved | quotaexceeded | subscription is disabled"
        " | readonlydisabledsubscription",
    ),
    Rule(
        "azure.capacity",
        Kind.OVERLOADED,
        words="skunotavailable | allocationfailed | zonalallocationfailed | serverbusy"
        " | the server is busy",
    ),
    Rule(
        "azure.not_found",
        Kind.NOT_FOUND,
        words="resourcenotfound | resourcegroupnotfound | containernotfound | blobnotfound"
        " | subscriptionnotfound | parentresourcenotfound",
    ),
    Rule(
        "azure.conflict",
        Kind.RESOURCE_CONFLICT,
        words="containeralreadyexists | blobalreadyexists | conditionnotmet"
        " | storageaccountalreadytaken | leasealreadypresent | leaseidmissing"
        " | anotheroperationinprogress | scopelocked",
    ),
    # mail
    Rule(
        "smtp.auth",
        Kind.AUTH,
        pattern=r"\b53[045][ -]5\.7\.\d|username and password not accepted|smtpauthenticationerror",
    ),
    Rule(
        "smtp.defer",
        Kind.OVERLOADED,
        pattern=r"\b4[25][01][ -]4\.\d\.\d|greylist|\b421[ -](?:4\.|service)",
    ),
    Rule(
        "smtp.refused",
        Kind.NOT_FOUND,
        pattern=r"\b550[ -]5\.1\.1|mailbox unavailable|recipient address rejected"
        "|smtprecipientsrefused",
    ),
    Rule("smtp.policy", Kind.SECURITY, pattern=r"\b55[04][ -]5\.7\.\d{1,9}"),
)
