"""Rules for databases and brokers: PostgreSQL, MySQL and MariaDB, SQLite, Redis, MongoDB, Kafka,
RabbitMQ, Elasticsearch, Oracle, SQL Server, Cassandra.

Owns their sentences, Redis' reply prefixes and the drivers' exception types; numbers and states
are sql.py's.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule


def _type(kind: Kind, names: str) -> Rule:
    return Rule(f"database.type.{kind.value}", kind, exception=names)


RULES: tuple[Rule, ...] = (
    # stopped
    Rule(
        "sql.cancelled",
        Kind.CANCELLED,
        words="canceling statement due to user request | query execution was interrupted"
        " | interrupted at user request",
        level=Level.DECISIVE,
        unless="maximum statement execution time",
    ),
    Rule(
        "db.corrupt",
        Kind.CRASH,
        words="database disk image is malformed | invalid page in block | is marked as crashed"
        " | table is marked as crashed | could not read block | index corrupted"
        " | btree page | corruptindexexception | wiredtiger error | wt_panic",
        level=Level.SPECIFIC,
    ),
    Rule(
        "db.server_died",
        Kind.CRASH,
        words="the database system is in recovery mode after"
        " | terminating connection because of crash of another server process",
    ),
    # memory
    Rule(
        "db.memory",
        Kind.OUT_OF_MEMORY,
        words="used memory > 'maxmemory' | out of shared memory | circuitbreakingexception"
        " | circuit_breaking_exception | exceeded memory limit for"
        " | oom command not allowed | [parent] data too large | ora-04031 | ora-04030"
        " | resource pool",
        unless="pool size",
    ),
    Rule("sqlstate.memory", Kind.OUT_OF_MEMORY, exception=r"psycopg2?\.OutOfMemory"),
    Rule(
        "db.disk",
        Kind.DISK_FULL,
        words="the table is full | is full (error 1114"
        " | misconf redis is configured to save rdb | ora-01653 | ora-01654"
        ' | could not write to file "base/pgsql_tmp | disk_full | diskfull'
        " | disk usage exceeded flood",
        pattern=r"\bthe table '.{1,100}' is full",
        level=Level.DECISIVE,
    ),
    _type(Kind.DISK_FULL, r"DiskFull\w*"),
    # who are you
    Rule(
        "db.auth",
        Kind.AUTH,
        words="password authentication failed | no password supplied"
        " | authentication failed for user | access denied for user"
        " | peer authentication failed | ident authentication failed"
        " | noauth authentication required | wrongpass | invalid username-password pair"
        " | hello must be called with the client already authenticated | err auth"
        " | err invalid password | bad auth | command requires authentication"
        " | login failed for user | ora-01017 | ora-28000 | access_refused"
        " | saslauthenticationexception | sasl authentication failed"
        " | missing authentication credentials for rest request | scram"
        " | the server requested scram | client password must be a string"
        " | authentication plugin | unable to authenticate user",
        pattern=r"fatal: +role \"[^\"\n]{1,200}\" does not exist"
        r"|fatal: +role \"[^\"\n]{1,200}\" is not permitted to log in",
        unless="plugin .{1,60}cannot be loaded|access denied for user .{1,120} to database",
    ),
    _type(
        Kind.AUTH,
        r"AuthenticationFailed|InvalidPassword\w*|InvalidAuthorizationSpecification\w*"
        "|AuthenticationError|AuthenticationWrongNumberOfArgsError|SaslError",
    ),
    Rule(
        "db.permission",
        Kind.PERMISSION,
        words="attempt to write a readonly database"
        " | readonly you can't write against a read only"
        " | can't write against a read only | in a read-only transaction"
        " | pg_hba.conf rejects connection | no pg_hba.conf entry | must be owner of"
        " | noperm | permission denied for | --read-only option so it cannot execute"
        " | command denied to user | not authorized on | ora-01031"
        " | ora-00942: insufficient | cluster_block_exception | must be superuser"
        " | not primary | not master | no permissions to | need permission"
        " | row-level security | read-only mode",
        pattern=r"command '[^'\n]{1,60}' not allowed|\bopcode\b.{0,20}unauthorized",
        unless="flood.stage|disk",
    ),
    _type(
        Kind.PERMISSION,
        r"InsufficientPrivilege\w*|ReadOnlySqlTransaction\w*|NoPermissionError"
        r"|ReadOnlyError|DbAccessDenied\w*|TopicAuthorizationFailedError",
    ),
    # not up to it
    Rule(
        "db.overloaded",
        Kind.OVERLOADED,
        words="too many connections | too many clients already"
        " | remaining connection slots are reserved | max number of clients reached"
        " | max_user_connections | max_connections | the database system is starting up"
        " | the database system is shutting down"
        " | the database system is in recovery mode"
        " | the database system is not yet accepting connections"
        " | loading redis is loading | redis is loading the dataset | busy redis is busy"
        " | busy script | tryagain | clusterdown | hash slot not served"
        " | es_rejected_execution_exception | rejected execution | all shards failed"
        " | notleaderorfollower | not the current leader | not_leader_for_partition "
        "| notleaderforpartition | leader not available"
        " | leadernotavailable | coordinator not available | maxclientsinsessionmode"
        " | max clients in session mode | query_wait_timeout | not enough replicas"
        " | notenoughreplicas | no master | noreplicas | quorum | unavailableexception"
        " | too_many_connections",
        unless="all shards failed(?s:.{0,2000})(?:parse|illegal_argument|query_shard)",
    ),
    _type(
        Kind.OVERLOADED,
        r"TooManyConnections\w*|CannotConnectNow\w*|BusyLoadingError|ClusterDownError"
        "|TryAgainError|MaxConnectionsError|SlotNotCoveredError"
        "|ConfigurationLimitExceeded",
    ),
    # time
    Rule(
        "db.timeout",
        Kind.TIMEOUT,
        words="due to statement timeout | idle-in-transaction timeout | idle-session timeout"
        " | maximum statement execution time exceeded | maxtimemsexpired"
        " | operation exceeded time limit | queuepool limit | server selection timed out"
        " | serverselectiontimeouterror | timeout reading from socket"
        " | timeout connecting to server | requesttimedout | readtimeout | writetimeout"
        " | operationtimedout | ora-01013 | ora-12170 | lock request time out",
        unless="lock request time out|connection refused|name or service not known"
        "|nodename nor servname|name resolution|not-master|certificate verify",
    ),
    _type(Kind.TIMEOUT, r"IdleInTransactionSessionTimeout\w*|ExecutionTimeout|ConnectionTimeout"),
    # both ends are there and do not agree on encryption
    Rule(
        "db.encryption",
        Kind.INVALID_CONFIG,
        pattern="server does(?: not|n't) support (?:ssl|tls|gssapi|secure connection)"
        "|(?:ssl|tls|gssapi)(?: encryption| connection)? (?:was|is) required",
        level=Level.DECISIVE,
    ),
    # the wire
    Rule(
        "db.gone",
        Kind.NETWORK,
        words="terminating connection due to administrator command"
        " | server closed the connection unexpectedly | mysql server has gone away"
        " | lost connection to mysql server | lost connection to server"
        " | can't connect to mysql server | can't connect to local mysql server"
        " | can't connect to local server | can't connect to server"
        " | is the server running | could not connect to server | connection to server at"
        " | connection to server on socket | could not connect to redis"
        " | link with master is down | masterdown | no servers found yet"
        " | no reachable servers | nobrokersavailable"
        " | connection has been closed unexpectedly | connection not open"
        " | the connection is closed | connection is closed | connection already closed"
        " | ora-12541 | ora-12154 | ora-03113 | ora-03114 | mongonetworkerror"
        " | mongoserverselectionerror | broker transport failure"
        " | ssl connection has been closed unexpectedly | ssl syscall error"
        " | could not translate host name | unknown mysql server host"
        " | could not receive data from server | could not send data to server"
        " | all brokers down | no living connections | nolivingconnections"
        " | connection reset",
        unless="timeout expired|starting up|fatal: +(?!terminating)",
    ),
    _type(
        Kind.NETWORK,
        r"AdminShutdown\w*|CrashShutdown\w*|ConnectionDoesNotExist\w*|ConnectionFailure"
        "|AutoReconnect|ConnectionException|MasterDownError|NoHostAvailable"
        "|CannotSendRequest|InterfaceErrorConnection",
    ),
    # somebody holds it
    Rule(
        "db.lock",
        Kind.LOCK,
        words="due to lock timeout | could not obtain lock on | deadlock detected"
        " | deadlock found | could not serialize access | lock wait timeout exceeded"
        " | database is locked | database table is locked | database schema is locked"
        " | sqlite_busy | sqlite_locked | writeconflict | write conflict"
        " | lock request time out period exceeded | was deadlocked on lock resources"
        " | restart transaction | transaction retry | retry transaction | ora-00054"
        " | ora-00060 | ora-08177 | could not set lock on file | conflicting lock is held"
        " | unable to acquire lock within | cannot acquire a lock"
        " | being accessed by other users | locktimeout | lock not available"
        " | optimistic lock | record has changed since last read | staleobjectstate"
        " | sqlite3.operationalerror: locked | io error: lock",
        level=Level.DECISIVE,
    ),
    _type(
        Kind.LOCK,
        r"LockNotAvailable\w*|DeadlockDetected\w*|SerializationFailure\w*"
        r"|SerializationError|WatchError|StaleDataError|TransactionAborted\w*",
    ),
    # it is there and stays there
    Rule(
        "db.exists",
        Kind.RESOURCE_CONFLICT,
        words="duplicate key value | duplicate entry | unique constraint failed"
        " | violates unique constraint | unique constraint violated"
        " | unique key constraint | unique constraint violation | e11000 | duplicate key error"
        " | violates exclusion constraint | busygroup | version_conflict_engine_exception"
        " | resource_already_exists_exception | namespaceexists | topic already exists"
        " | topicalreadyexists | database exists | ora-00001 | busykey",
        pattern="(?:relation|table|database|schema|type|role|index|extension|view|function"
        r"|user) [\"`'][^\"`'\n]{1,120}[\"`'](?: of relation .{1,80})? already exists",
        unless=r"column \"[^\"\n]{1,200}\" of relation",
        level=Level.DECISIVE,
    ),
    _type(
        Kind.RESOURCE_CONFLICT,
        r"UniqueViolation\w*|Duplicate\w{1,80}|ExclusionViolation\w*|ObjectInUse\w*",
    ),
    # absent
    Rule(
        "db.extension",
        Kind.MISSING_DEPENDENCY,
        words='could not open extension control file | could not access file "$libdir'
        " | no such module:"
        " | authentication plugin 'caching_sha2_password' cannot be loaded"
        " | cryptography' package is required | can't load plugin: sqlalchemy"
        " | could not load sqlite | odbc driver manager | extension is not available",
        pattern=r"extension \"[^\"\n]{1,200}\" is not available|type \"(?:vector|geometry|citext"
        r"|hstore)\" does not exist|function (?:uuid_generate_v4|st_\w{1,80}"
        r"|gen_random_uuid|crypt)\(.{0,80} does not exist",
        level=Level.DECISIVE,
    ),
    Rule(
        "db.no_database",
        Kind.NOT_FOUND,
        words="unknown database | unable to open database | cannot open database"
        " | index_not_found_exception | nosuchkey | unknown_topic_or_partition"
        " | unknown topic | ns not found | namespacenotfound | ns does not exist"
        " | no such key | err no such key | ora-12514",
        pattern=r"\bdatabase \"[^\"\n]{1,200}\" does not exist|\bno queue '|\bno exchange '",
    ),
    _type(Kind.NOT_FOUND, r"InvalidCatalogName\w*"),
    # what it was given
    Rule(
        "db.input",
        Kind.INPUT_FORMAT,
        words="violates foreign key constraint | foreign key constraint fails"
        " | foreign key constraint failed | violates not-null constraint"
        " | not null constraint failed | violates check constraint"
        " | check constraint failed | cannot be null | data too long for column"
        " | value too long for type | out of range for type"
        " | out of range value for column | integer out of range | numeric field overflow"
        " | invalid input syntax for | invalid byte sequence for encoding"
        " | incorrect string value | incorrect integer value | incorrect datetime value"
        " | truncated incorrect | date/time field value out of range"
        " | document failed validation | documentvalidationfailure | bsonobj size"
        " | document is too large | documenttoolarge | object to insert too large"
        " | mapper_parsing_exception | document_parsing_exception"
        " | strict_dynamic_mapping_exception | file is not a database"
        " | file is encrypted or is not a database | cannot contain nul"
        " | missing data for column | extra data after last expected column"
        " | packet bigger than 'max_allowed_packet' | max_allowed_packet"
        " | doesn't have a default value | datatype mismatch | message_too_large"
        " | messagesizetoolarge | payload too large | incompatiblemapping | invalid bson"
        " | not a valid objectid | string or blob too big | unterminated quoted",
        pattern=r"expected \d{1,9} columns but found \d{1,9}|unterminated csv quoted field",
        unless="unterminated quoted string(?s:.{0,2000})line 1:",
    ),
    _type(
        Kind.INPUT_FORMAT,
        r"ForeignKeyViolation\w*|NotNullViolation\w*|CheckViolation\w*"
        r"|InvalidTextRepresentation\w*|StringDataRightTruncation\w*"
        r"|NumericValueOutOfRange\w*|InvalidDatetimeFormat\w*|CharacterNotInRepertoire\w*"
        r"|DataError|UntranslatableCharacter\w*|BadCopyFileFormat\w*|DocumentTooLarge"
        "|InvalidDocument|InvalidBSON|InvalidId",
    ),
    # the query
    Rule(
        "db.query",
        Kind.LOGIC,
        words="no such table | no such column | no such function | unknown column"
        " | unknown table | wrongtype operation | err syntax error"
        " | current transaction is aborted | you have an error in your sql syntax"
        " | incorrect number of bindings | parameters were passed"
        " | can only be used in that same thread | wrong number of arguments for"
        " | err value is not an integer | err unknown command"
        " | must appear in the group by clause | is ambiguous | operator does not exist"
        " | each union query must have the same number"
        " | more than one row returned by a subquery | subquery returns more than"
        " | more expressions than target columns | column count doesn't match"
        " | values for | cannot operate on a closed database"
        " | cannot start a transaction within a transaction | recursive use of cursors"
        " | invalid use of group function | crossslot keys in request"
        " | nogroup no such key | unknown operator: $ | unknown top level operator"
        " | unrecognized pipeline stage | unrecognized expression | ora-00904 | ora-00942"
        " | ora-00933 | sql compilation error | parsing_exception | query_shard_exception"
        " | x_content_parse_exception | unknown command ' | execabort"
        " | err error running script | cannot insert multiple commands into a prepared",
        pattern=r"column \"[^\"\n]{1,200}\" of relation .{1,80} already exists"
        r"|duplicate column name|near \"[^\"\n]*\": syntax error"
        r"|^(?:psql:\S{1,200} )?error: +syntax error at or near|syntax error at (?:or near"
        r"|end of input)|relation \"[^\"\n]{1,200}\" does not exist"
        r"|column [^\n]{1,80} does not exist|function [^\n]{1,120} does not exist"
        r"|schema \"[^\"\n]{1,200}\" does not exist|table '[^'\n]{1,200}' doesn't exist"
        "|invalid object name|invalid column name"
        r"|column \"[^\"\n]{1,200}\" of relation .{1,80} does not exist"
        "|prepared statement .{1,60} (?:does not exist|already exists)",
    ),
    _type(
        Kind.LOGIC,
        r"InFailedSqlTransaction\w*|Undefined(?:Table|Column|Function|Object|Parameter)\w*"
        "|SyntaxErrorOrAccessRuleViolation|PostgresSyntaxError|GroupingError"
        r"|Ambiguous\w{1,80}|DatatypeMismatch\w*|WrongObjectType\w*|NotSupportedError",
    ),
)
