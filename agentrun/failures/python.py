"""Rules for Python's exception types: the standard library's and the common HTTP clients'.

Owns types, by simple name or `package.Name`, wherever they stand: the exception itself, its MRO,
its causes, or the lines of a traceback that a subprocess printed. A type that could mean several
things (`ValueError`, `OSError`) is asked only after the text.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule


def _type(
    rule_id: str,
    kind: Kind,
    names: str,
    *,
    level: Level = Level.SPECIFIC,
    unless: str = "",
) -> Rule:
    return Rule(f"python.{rule_id}", kind, exception=names, level=level, unless=unless)


RULES: tuple[Rule, ...] = (
    Rule(
        "python.worker_killed",
        Kind.OUT_OF_MEMORY,
        pattern="worker exited prematurely: signal 9|worker .{0,80}(?:sigkill|signal 9)"
        "|was sent sigkill! perhaps out of memory",
        level=Level.DECISIVE,
    ),
    # stopped, died, memory
    _type("interrupted", Kind.CANCELLED, "KeyboardInterrupt", level=Level.DECISIVE),
    Rule(
        "python.interrupted_line",
        Kind.CANCELLED,
        pattern=r"^(?:!+ )?keyboardinterrupt\b|: keyboardinterrupt$",
        level=Level.DECISIVE,
    ),
    _type(
        "cancelled",
        Kind.CANCELLED,
        r"CancelledError|AbortError|Abort|UserAbort\w*",
        level=Level.GENERAL,
    ),
    Rule(
        "python.fatal",
        Kind.CRASH,
        words="fatal python error | brokenprocesspool"
        " | a process in the process pool was terminated abruptly",
        pattern=r"\bworkerlosterror\b|\bterminatedworkererror\b",
        level=Level.DECISIVE,
        unless="out of memory|oom|signal 9|sigkill",
    ),
    _type(
        "memory",
        Kind.OUT_OF_MEMORY,
        r"\w*MemoryError|\w*OutOfMemory\w*|\w*OOM\w*",
        level=Level.DECISIVE,
        unless="out of shared memory",
    ),
    # identity, policy
    _type(
        "tls",
        Kind.SECURITY,
        "SSLCertVerificationError|ClientConnectorCertificateError|CertificateError"
        "|BadHostKeyException",
    ),
    _type(
        "auth",
        Kind.AUTH,
        r"\w*Authentication(?:Error|Exception|Failed)?|\w*Unauthorized\w*"
        r"|\w*NoCredentials\w*|\w*InvalidToken\w*|\w*CredentialsError"
        r"|\w*CredentialRetrievalError|PartialCredentialsError|DefaultCredentialsError"
        r"|RefreshError|\w*TokenRetrievalError|\w*NotAuthenticated"
        r"|UnauthorizedSSOTokenError|SSOTokenLoadError|\w*AuthError|ExpiredSignatureError"
        "|InvalidSignatureError|SMTPAuthenticationError|ClientAuthenticationError"
        r"|\w*InvalidPassword\w*|\w*InvalidAuthorizationSpecification\w*"
        r"|\w*LocalTokenNotFoundError",
    ),
    _type(
        "permission",
        Kind.PERMISSION,
        r"PermissionError|\w*PermissionDenied\w*|\w*Forbidden\w*|\w*AccessDenied\w*"
        r"|\w*NoPermission\w*|\w*InsufficientPrivilege\w*|\w*GatedRepoError",
    ),
    # asked to slow down, time, the wire
    _type(
        "rate_limit",
        Kind.RATE_LIMIT,
        r"\w*RateLimit\w*|\w*TooManyRequests\w*|\w*Throttl\w*|\w*Throttled"
        r"|\w*RateExceeded\w*",
        level=Level.GENERAL,
    ),
    _type(
        "overloaded",
        Kind.OVERLOADED,
        r"\w*ServiceUnavailable\w*|\w*Overloaded\w*|\w*BadGateway\w*"
        r"|\w*InternalServerError|\w*ServerError|\w*TooManyConnections\w*|\w*Busy\w*Error"
        r"|\w*CapacityExceeded\w*",
        level=Level.DEFAULT,
    ),
    _type(
        "timeout",
        Kind.TIMEOUT,
        r"\w*TimeoutError|\w*Timeout|\w*TimedOut\w*|\w*TimeoutException|TimeoutExpired"
        r"|\w*DeadlineExceeded\w*|\w*SoftTimeLimitExceeded|\w*TimeLimitExceeded"
        r"|\w*GatewayTimeout\w*|\w*TimeoutExceeded\w*",
        unless=r"\[errno 111\]|connection refused|econnrefused",
    ),
    _type(
        "connection",
        Kind.NETWORK,
        r"Connection\w*Error|BrokenPipeError|gaierror|RemoteDisconnected|IncompleteRead"
        r"|\w*ConnectionError|NewConnectionError|NameResolutionError|ProtocolError"
        r"|\w*ConnectError|\w*ReadError|\w*WriteError|\w*RemoteProtocolError"
        r"|\w*LocalProtocolError|ServerDisconnectedError|ClientConnector\w*|ClientOSError"
        r"|ClientPayloadError|ChunkedEncodingError|ProxyError|\w*ConnectionClosed\w*"
        r"|\w*ConnectionReset\w*|\w*EndpointConnectionError|ConnectionClosedError"
        r"|\w*APIConnectionError|IncompleteReadError|SMTPServerDisconnected"
        "|SMTPConnectError|URLError|SSLError|SSLEOFError|SSLZeroReturnError"
        "|UnknownHostException|ConnectException|NoRouteToHostException"
        r"|\w*NoBrokersAvailable|KafkaConnectionError|AMQPConnectionError"
        r"|ServerDisconnected|ConnectionDoesNotExistError|\w*NetworkError"
        r"|\w*StreamClosed\w*|WebSocketConnectionClosedException|\w*TransportError"
        "|ContentLengthError",
        level=Level.GENERAL,
    ),
    _type(
        "lock",
        Kind.LOCK,
        r"\w*LockError|LockTimeout|Timeout.*lock|BlockingIOError|AlreadyLocked"
        r"|\w*LockedError|\w*StaleDataError|\w*Deadlock\w*|\w*SerializationFailure"
        r"|\w*LockNotAvailable\w*|WatchError|\w*OptimisticLock\w*"
        r"|\w*ConcurrentModification\w*|\w*TransactionRetry\w*|\w*WriteConflict\w*",
    ),
    _type(
        "exists",
        Kind.RESOURCE_CONFLICT,
        r"FileExistsError|\w*AlreadyExists\w*|\w*UniqueViolation\w*|\w*DuplicateKey\w*"
        r"|\w*ConflictError|\w*Conflict|\w*AlreadyInUse\w*",
    ),
    # it is not there
    Rule(
        "python.own_module",
        Kind.LOGIC,
        pattern="importerror: attempted relative import"
        "|attempted relative import with no known parent"
        r"|cannot import name .{1,200}(?:circular import|\(/(?!.{0,200}site-packages))",
    ),
    _type(
        "module",
        Kind.MISSING_DEPENDENCY,
        "ModuleNotFoundError|ClassNotFoundException|NoClassDefFoundError"
        r"|\w*PackageNotFoundError|DistributionNotFound|\w*DependencyNotFound\w*"
        r"|\w*MissingDependency\w*|\w*VersionConflict|NoSuchModuleError|CommandNotFound",
    ),
    Rule(
        "python.handler_broke",
        Kind.LOGIC,
        pattern="during handling of the above exception, another exception occurred:"
        r"(?s:.{0,2000})^(?:AttributeError|NameError|UnboundLocalError): [^\n]{0,300}\n?\Z",
        level=Level.DECISIVE,
    ),
    Rule(
        "python.optional",
        Kind.MISSING_DEPENDENCY,
        words="missing optional dependency | could not import"
        " | unable to import required dependencies | use pip or conda to install"
        " | pip install | requires the following packages | package is required"
        " | is required but not installed | extra is not installed",
        exception="ImportError|ModuleNotFoundError|RuntimeError|ValueError",
    ),
    _type("import", Kind.MISSING_DEPENDENCY, "ImportError", level=Level.DEFAULT),
    _type(
        "not_found",
        Kind.NOT_FOUND,
        r"FileNotFoundError|\w*NotFoundError|\w*NotFound|NoSuch\w+|\w*DoesNotExist"
        r"|ProcessLookupError|FileNotFoundException|NoSuchFileException|\w*ImageNotFound"
        r"|\w*UnknownObject\w*|\w*UnknownTopic\w*|ResourceNotFoundException|\w*NotFoundException",
        level=Level.GENERAL,
        unless="NoSuchElement(?:Exception|Error)|NoSuchMethod|NoSuchField|NoSuchModule",
    ),
    # formats
    Rule(
        "python.model_json",
        Kind.OUTPUT_FORMAT,
        exception="JSONDecodeError",
        channels=("llm",),
        level=Level.SPECIFIC,
    ),
    _type(
        "output_parser",
        Kind.OUTPUT_FORMAT,
        r"OutputParser\w*|InstructorRetry\w*|IncompleteOutput\w*|UnexpectedModelBehavior"
        r"|ModelBehaviorError|LengthFinishReason\w*|ToolRetryError|StructuredOutput\w*"
        r"|\w*InvalidToolCall\w*|IncompleteOutputException|\w*MaxTokensReached\w*"
        "|AdapterParseError",
        level=Level.DECISIVE,
    ),
    _type(
        "decode",
        Kind.INPUT_FORMAT,
        "JSONDecodeError|UnicodeDecodeError|UnicodeEncodeError|TOMLDecodeError"
        r"|\w*ParserError|\w*ScannerError|\w*ParseError|BadZipFile|BadGzipFile|ReadError"
        r"|\w*UnidentifiedImageError|LZMAError|ExpatError|XMLSyntaxError|\w*DecodeError"
        "|ComposerError|ConstructorError|EmptyDataError|DecompressionBombError|DataError"
        r"|DtypeWarning|Csv\w*Error|PdfReadError|InvalidFileException|\w*XLRDError"
        r"|CorruptedError|NotNullViolation\w*|ForeignKeyViolation\w*|CheckViolation\w*"
        r"|\w*InvalidTextRepresentation\w*|StringDataRightTruncation\w*"
        r"|NumericValueOutOfRange\w*",
        level=Level.GENERAL,
        unless="unexpected keyword argument",
    ),
    _type(
        "validation",
        Kind.INPUT_FORMAT,
        r"\w*ValidationError|\w*UnprocessableEntity\w*|\w*BadRequest\w*"
        r"|\w*InvalidRequest\w*|\w*InvalidInput\w*",
        level=Level.DEFAULT,
    ),
    Rule(
        "python.extra_forbidden",
        Kind.INVALID_CONFIG,
        words="extra inputs are not permitted | extra_forbidden",
        channels=("python", "subprocess"),
    ),
    # how it was set up
    _type(
        "config",
        Kind.INVALID_CONFIG,
        r"\w*Config\w*Error|\w*ConfigurationError|ImproperlyConfigured|MissingSchema"
        "|InvalidSchema|InvalidURL|UnsupportedProtocol|InvalidUrlClientError"
        r"|ArgumentError|\w*NoRegionError|\w*UnsupportedOperation|ParamValidationError"
        "|UsageError|NoSuchOption|BadParameter|MissingParameter|ArgumentTypeError"
        "|UnknownServiceError|LocationValueError|NoOptionError|NoSectionError"
        r"|MissingEnvironmentVariable\w*|UnsupportedParamsError|ProfileNotFound"
        "|SettingsError|ZoneInfoNotFoundError|IsADirectoryError|NotADirectoryError"
        "|InvalidSchemaError|NonHttpUrlClientError|TooManyRedirects|UnsupportedError"
        r"|MethodNotAllowed\w*",
    ),
    # the code
    _type(
        "code",
        Kind.LOGIC,
        "AssertionError|TypeError|KeyError|IndexError|AttributeError|NameError"
        "|UnboundLocalError|ZeroDivisionError|SyntaxError|IndentationError|TabError"
        "|RecursionError|StopIteration|StopAsyncIteration|ArithmeticError|OverflowError"
        "|FloatingPointError|NotImplementedError|ReferenceError|EOFError|BufferError"
        "|LookupError|ProgrammingError|InterfaceError|DetachedInstanceError"
        "|InvalidRequestError|UndefinedError|TemplateSyntaxError|TemplateError|MergeError"
        "|LinAlgError|InvalidOperation|InvalidStateError|ExceptionGroup"
        "|BaseExceptionGroup|NotSupportedError|SchemaError|SpecificationError"
        r"|Undefined(?:Table|Column|Function)\w*|RuntimeWarning|DeprecationWarning"
        r"|NoSuchElement(?:Exception|Error)|NoSuchMethod\w*|MultipleResultsFound"
        r"|NoResultFound|TraitError|FrozenInstanceError|CircularDependency\w*"
        "|InvalidStateTransition",
        level=Level.DEFAULT,
    ),
    Rule(
        "python.value",
        Kind.LOGIC,
        exception=r"ValueError|RuntimeError|Exception|Error|\w*Error|\w*Exception",
        pattern=r"^traceback \(most recent call last\)(?::\n(?:(?:[ \t].*)?\n)*(?P<told>\S.*))?",
        level=Level.DEFAULT,
    ),
    Rule(
        "python.value_error",
        Kind.INPUT_FORMAT,
        exception="ValueError",
        channels=("python",),
        level=Level.DEFAULT,
        pattern="could not convert|invalid literal|does not match format|isoformat"
        "|unconverted data",
    ),
    Rule(
        "python.codec",
        Kind.INPUT_FORMAT,
        exception=r"(?:zlib|struct|csv|binascii|tarfile|lzma|gzip|plistlib)\.(?:error|Error|ReadError)",
    ),
    Rule(
        "python.uncaught",
        Kind.LOGIC,
        exception="(?!(?:.*[.])?(?:CalledProcessError|SystemExit)$).+",
        channels=("python",),
        level=Level.DEFAULT,
    ),
    Rule(
        "python.raised",
        Kind.LOGIC,
        exception="ValueError|RuntimeError",
        channels=("python", "subprocess"),
        level=Level.DEFAULT,
    ),
)
