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
    Rule("python.worker_killed", Kind.OUT_OF_MEMORY, pattern=r"worker exited prematurely: signal 9|worker .{0,80}(?:sigkill|signal 9)|was sent sigkill! perhaps out of memory", level=Level.DECISIVE),
    # -- stopped, died, memory ----------------------------------------------------------------
    _type("interrupted", Kind.CANCELLED, r"KeyboardInterrupt", level=Level.DECISIVE),
    Rule("python.interrupted_line", Kind.CANCELLED, pattern=r"^(?:!+ )?keyboardinterrupt\b|: keyboardinterrupt$", level=Level.DECISIVE),
    _type("cancelled", Kind.CANCELLED, r"CancelledError|AbortError|Abort|UserAbort\w*", level=Level.GENERAL),
    Rule(
        "python.fatal",
        Kind.CRASH,
        words=("fatal python error", "brokenprocesspool", "a process in the process pool was terminated abruptly"),
        pattern=r"\bworkerlosterror\b|\bterminatedworkererror\b",
        level=Level.DECISIVE,
        unless=r"out of memory|oom|signal 9|sigkill",
    ),
    _type("memory", Kind.OUT_OF_MEMORY, r"\w*MemoryError|\w*OutOfMemory\w*|\w*OOM\w*", level=Level.DECISIVE,
          unless=r"out of shared memory"),
    # -- identity, policy ---------------------------------------------------------------------
    _type("tls", Kind.SECURITY, r"SSLCertVerificationError|ClientConnectorCertificateError|CertificateError|BadHostKeyException"),
    _type("auth", Kind.AUTH,
          r"\w*Authentication(?:Error|Exception|Failed)?|\w*Unauthorized\w*|\w*NoCredentials\w*|\w*InvalidToken\w*|\w*CredentialsError"
          r"|\w*CredentialRetrievalError|PartialCredentialsError|DefaultCredentialsError|RefreshError|\w*TokenRetrievalError|\w*NotAuthenticated"
          r"|UnauthorizedSSOTokenError|SSOTokenLoadError|\w*AuthError|ExpiredSignatureError|InvalidSignatureError|SMTPAuthenticationError"
          r"|ClientAuthenticationError|\w*InvalidPassword\w*|\w*InvalidAuthorizationSpecification\w*|\w*LocalTokenNotFoundError"),
    _type("permission", Kind.PERMISSION,
          r"PermissionError|\w*PermissionDenied\w*|\w*Forbidden\w*|\w*AccessDenied\w*|\w*NoPermission\w*|\w*InsufficientPrivilege\w*|\w*GatedRepoError"),
    # -- asked to slow down, time, the wire ---------------------------------------------------
    _type("rate_limit", Kind.RATE_LIMIT, r"\w*RateLimit\w*|\w*TooManyRequests\w*|\w*Throttl\w*|\w*Throttled|\w*RateExceeded\w*", level=Level.GENERAL),
    _type("overloaded", Kind.OVERLOADED, r"\w*ServiceUnavailable\w*|\w*Overloaded\w*|\w*BadGateway\w*|\w*InternalServerError|\w*ServerError|\w*TooManyConnections\w*|\w*Busy\w*Error|\w*CapacityExceeded\w*",
          level=Level.DEFAULT),
    _type("timeout", Kind.TIMEOUT,
          r"\w*TimeoutError|\w*Timeout|\w*TimedOut\w*|\w*TimeoutException|TimeoutExpired|\w*DeadlineExceeded\w*|\w*SoftTimeLimitExceeded|\w*TimeLimitExceeded|\w*GatewayTimeout\w*|\w*TimeoutExceeded\w*",
          unless=r"\[errno 111\]|connection refused|econnrefused"),
    _type("connection", Kind.NETWORK,
          r"Connection\w*Error|BrokenPipeError|gaierror|RemoteDisconnected|IncompleteRead|\w*ConnectionError|NewConnectionError|NameResolutionError|ProtocolError"
          r"|\w*ConnectError|\w*ReadError|\w*WriteError|\w*RemoteProtocolError|\w*LocalProtocolError|ServerDisconnectedError|ClientConnector\w*|ClientOSError|ClientPayloadError|ChunkedEncodingError"
          r"|ProxyError|\w*ConnectionClosed\w*|\w*ConnectionReset\w*|\w*EndpointConnectionError|ConnectionClosedError|\w*APIConnectionError|IncompleteReadError|SMTPServerDisconnected|SMTPConnectError|URLError|SSLError|SSLEOFError|SSLZeroReturnError"
          r"|UnknownHostException|ConnectException|NoRouteToHostException|\w*NoBrokersAvailable|KafkaConnectionError|AMQPConnectionError|ServerDisconnected|ConnectionDoesNotExistError|\w*NetworkError|\w*StreamClosed\w*|WebSocketConnectionClosedException|\w*TransportError|ContentLengthError|RetryError",
          level=Level.GENERAL,
          unless=r"tenacity\.retryerror(?!.*(?:connect|network|timeout))"),
    _type("lock", Kind.LOCK, r"\w*LockError|LockTimeout|Timeout.*lock|BlockingIOError|AlreadyLocked|\w*LockedError|\w*StaleDataError|\w*Deadlock\w*|\w*SerializationFailure|\w*LockNotAvailable\w*|WatchError|\w*OptimisticLock\w*|\w*ConcurrentModification\w*|\w*TransactionRetry\w*|\w*WriteConflict\w*"),
    _type("exists", Kind.RESOURCE_CONFLICT, r"FileExistsError|\w*AlreadyExists\w*|\w*UniqueViolation\w*|\w*DuplicateKey\w*|\w*ConflictError|\w*Conflict|\w*AlreadyInUse\w*"),
    # -- it is not there ----------------------------------------------------------------------
    Rule(
        "python.own_module",
        Kind.LOGIC,
        pattern=r"importerror: attempted relative import|attempted relative import with no known parent|cannot import name .{1,200}(?:circular import|\(/(?!.{0,200}site-packages))",
    ),
    _type("module", Kind.MISSING_DEPENDENCY, r"ModuleNotFoundError|ClassNotFoundException|NoClassDefFoundError|\w*PackageNotFoundError|DistributionNotFound|\w*DependencyNotFound\w*|\w*MissingDependency\w*|\w*VersionConflict|NoSuchModuleError|CommandNotFound"),
    Rule("python.optional", Kind.MISSING_DEPENDENCY, words=("missing optional dependency", "could not import", "unable to import required dependencies", "use pip or conda to install", "pip install ", "requires the following packages", "package is required", "is required but not installed", "extra is not installed"), exception=r"ImportError|ModuleNotFoundError|RuntimeError|ValueError"),
    _type("import", Kind.MISSING_DEPENDENCY, r"ImportError", level=Level.DEFAULT),
    _type("not_found", Kind.NOT_FOUND,
          r"FileNotFoundError|NotADirectoryError|\w*NotFoundError|\w*NotFound|NoSuch\w+|\w*DoesNotExist|ProcessLookupError|FileNotFoundException|NoSuchFileException|\w*ImageNotFound|\w*UnknownObject\w*|ResourceNotFoundException|\w*NotFoundException",
          level=Level.GENERAL,
          unless=r"NoSuchElement(?:Exception|Error)|NoSuchMethod|NoSuchField|NoSuchModule"),
    # -- formats ------------------------------------------------------------------------------
    Rule("python.model_json", Kind.OUTPUT_FORMAT, exception=r"JSONDecodeError", channels=("llm",), level=Level.SPECIFIC),
    _type("output_parser", Kind.OUTPUT_FORMAT, r"OutputParser\w*|InstructorRetry\w*|IncompleteOutput\w*|UnexpectedModelBehavior|ModelBehaviorError|LengthFinishReason\w*|ToolRetryError|StructuredOutput\w*|\w*InvalidToolCall\w*|IncompleteOutputException|\w*MaxTokensReached\w*|AdapterParseError", level=Level.DECISIVE),
    _type("decode", Kind.INPUT_FORMAT,
          r"JSONDecodeError|UnicodeDecodeError|UnicodeEncodeError|TOMLDecodeError|\w*ParserError|\w*ScannerError|\w*ParseError|BadZipFile|BadGzipFile|ReadError|\w*UnidentifiedImageError|LZMAError|ExpatError|XMLSyntaxError|\w*DecodeError|ComposerError|ConstructorError|EmptyDataError|DecompressionBombError|DataError|DtypeWarning|Csv\w*Error|PdfReadError|InvalidFileException|\w*XLRDError|CorruptedError|NotNullViolation\w*|ForeignKeyViolation\w*|CheckViolation\w*|\w*InvalidTextRepresentation\w*|StringDataRightTruncation\w*|NumericValueOutOfRange\w*",
          level=Level.GENERAL, unless=r"unexpected keyword argument"),
    _type("validation", Kind.INPUT_FORMAT, r"\w*ValidationError|\w*UnprocessableEntity\w*|\w*BadRequest\w*|\w*InvalidRequest\w*|\w*InvalidInput\w*", level=Level.DEFAULT),
    Rule("python.extra_forbidden", Kind.INVALID_CONFIG, words=("extra inputs are not permitted", "extra_forbidden"), channels=("python", "subprocess")),
    # -- how it was set up --------------------------------------------------------------------
    _type("config", Kind.INVALID_CONFIG, r"\w*Config\w*Error|\w*ConfigurationError|ImproperlyConfigured|MissingSchema|InvalidSchema|InvalidURL|UnsupportedProtocol|InvalidUrlClientError|ArgumentError|\w*NoRegionError|\w*UnsupportedOperation|ParamValidationError|UsageError|NoSuchOption|BadParameter|MissingParameter|ArgumentTypeError|UnknownServiceError|LocationValueError|NoOptionError|NoSectionError|MissingEnvironmentVariable\w*|UnsupportedParamsError|ProfileNotFound|SettingsError|ZoneInfoNotFoundError|InvalidSchemaError|NonHttpUrlClientError|TooManyRedirects|UnsupportedError|MethodNotAllowed\w*"),
    # -- the code -----------------------------------------------------------------------------
    _type("code", Kind.LOGIC,
          r"AssertionError|TypeError|KeyError|IndexError|AttributeError|NameError|UnboundLocalError|ZeroDivisionError|SyntaxError|IndentationError|TabError|RecursionError|StopIteration|StopAsyncIteration|ArithmeticError|OverflowError|FloatingPointError|NotImplementedError|ReferenceError|EOFError|BufferError|LookupError|ProgrammingError|InterfaceError|DetachedInstanceError|InvalidRequestError|UndefinedError|TemplateSyntaxError|TemplateError|MergeError|LinAlgError|InvalidOperation|InvalidStateError|ExceptionGroup|BaseExceptionGroup|NotSupportedError|SchemaError|SpecificationError|Undefined(?:Table|Column|Function)\w*|RuntimeWarning|DeprecationWarning|NoSuchElement(?:Exception|Error)|NoSuchMethod\w*|MultipleResultsFound|NoResultFound|TraitError|FrozenInstanceError|CircularDependency\w*|InvalidStateTransition",
          level=Level.DEFAULT),
    Rule("python.value", Kind.LOGIC, exception=r"ValueError|RuntimeError|Exception|Error|\w*Error|\w*Exception",
         pattern=r"^traceback \(most recent call last\)", level=Level.DEFAULT),
    Rule("python.value_error", Kind.INPUT_FORMAT, exception=r"ValueError", channels=("python",), level=Level.DEFAULT,
         pattern=r"could not convert|invalid literal|does not match format|isoformat|unconverted data"),
    Rule("python.raised", Kind.LOGIC, exception=r"ValueError|RuntimeError", channels=("python", "subprocess"), level=Level.DEFAULT),
)  # fmt: skip
