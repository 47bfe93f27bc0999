"""Rules for containers, clusters and infrastructure: docker, podman, kubectl, helm, terraform,
pulumi, ansible, systemd.

Owns what daemons, registries and API servers of that world print.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule

RULES: tuple[Rule, ...] = (
    # clusters
    Rule(
        "k8s.quota",
        Kind.QUOTA,
        words="exceeded quota: | is forbidden: exceeded quota | failed quota:",
        level=Level.DECISIVE,
    ),
    Rule(
        "k8s.policy",
        Kind.SECURITY,
        words="violates podsecurity | admission webhook | denied the request"
        " | unable to validate against any security context constraint"
        " | unable to validate against any pod security policy | policy violation"
        " | container has runasnonroot | seccomp | image policy webhook"
        " | failed to verify signature | no matching signatures | image signature"
        " | signature was required",
        unless="failed calling webhook|context deadline exceeded",
    ),
    Rule(
        "k8s.reason.forbidden",
        Kind.PERMISSION,
        pattern=r"error from server \(forbidden\)|cannot (?:get|list|create|delete|patch|watch"
        "|update) resource",
    ),
    Rule(
        "k8s.reason.auth",
        Kind.AUTH,
        pattern=r"error from server \(unauthorized\)|you must be logged in to the server"
        "|the server has asked for the client to provide credentials"
        "|getting credentials: exec: (?!executable)|error: no auth provider",
    ),
    Rule(
        "k8s.reason.not_found",
        Kind.NOT_FOUND,
        pattern=r"error from server \(notfound\)|the server doesn't have a resource type"
        r"|error: the path \"|no matches for kind"
        "|the server could not find the requested resource|no resources found"
        "|no objects passed to apply",
        level=Level.SPECIFIC,
    ),
    Rule(
        "k8s.reason.exists",
        Kind.RESOURCE_CONFLICT,
        pattern=r"error from server \((?:alreadyexists|conflict)\)|the object has been modified"
        "|cannot re-use a name that is still in use|field is immutable"
        r"|apply failed with \d{1,9} conflict|provided port is already allocated"
        "|existing resource conflict|has an owner reference|invalid ownership metadata",
        level=Level.DECISIVE,
    ),
    Rule(
        "k8s.reason.invalid",
        Kind.INPUT_FORMAT,
        pattern=r"error from server \((?:invalid|badrequest)\)|error validating (?:data|\")"
        r"|error converting yaml to json|error parsing \S{1,200}\.ya?ml"
        r"|unable to decode \"|strict decoding error|unable to recognize \"",
    ),
    Rule(
        "k8s.reason.unavailable",
        Kind.OVERLOADED,
        pattern=r"error from server \((?:serviceunavailable"
        r"|internalerror)\)(?!.{0,400}(?:deadline exceeded|timed? ?out))"
        "|etcdserver: (?:leader changed|too many requests|no leader)"
        "|unable to handle the request",
    ),
    Rule(
        "k8s.reason.timeout",
        Kind.TIMEOUT,
        pattern=r"error from server \((?:timeout|gatewaytimeout)\)|etcdserver: request timed out"
        "|timed out waiting for the condition"
        "|client rate limiter wait returned an error: context deadline exceeded"
        "|net/http: tls handshake timeout|progress deadline exceeded"
        "|progressdeadlineexceeded|i/o timeout|context deadline exceeded"
        r"|client\.timeout exceeded",
    ),
    Rule(
        "k8s.reason.rate",
        Kind.RATE_LIMIT,
        pattern=r"error from server \(toomanyrequests\)|cannot evict pod as it would violate",
    ),
    Rule(
        "k8s.context",
        Kind.INVALID_CONFIG,
        pattern="context was not found for specified context|error: no context exists"
        "|current-context is not set|invalid configuration: |error loading config file"
        r"|unable to read client-cert|cluster \"[^\"\n]{1,200}\" does not exist"
        "|no configuration has been provided|missing or incomplete configuration info"
        "|error in configuration",
    ),
    Rule(
        "k8s.crashloop",
        Kind.LOGIC,
        words="crashloopbackoff | back-off restarting failed container",
    ),
    Rule("k8s.image", Kind.NOT_FOUND, words="imagepullbackoff | errimagepull", level=Level.GENERAL),
    Rule(
        "k8s.unschedulable",
        Kind.OVERLOADED,
        pattern=r"\d{1,9}/\d{1,9} nodes are available: .{0,200}insufficient|failedscheduling",
    ),
    Rule(
        "k8s.volume",
        Kind.RESOURCE_CONFLICT,
        words="multi-attach error | volume is already exclusively attached",
    ),
    # images and containers
    Rule(
        "docker.daemon",
        Kind.MISSING_DEPENDENCY,
        pattern=r"error while fetching server api version.{0,200}(?:filenotfound|no such file)",
        words="is the docker daemon running | cannot connect to the docker daemon"
        " | docker daemon is not running | cannot connect to podman"
        " | unable to connect to podman | docker.sock: no such file"
        " | error during connect: this error may indicate that the docker daemon is not running",
        level=Level.DECISIVE,
        unless="no such host|permission denied",
    ),
    Rule(
        "docker.socket",
        Kind.PERMISSION,
        words="permission denied while trying to connect to the docker daemon"
        " | denied: permission_denied | denied: installation not allowed"
        " | denied: your authorization | insufficient_scope: authorization failed",
        level=Level.SPECIFIC,
    ),
    Rule(
        "docker.toomany",
        Kind.RATE_LIMIT,
        words="toomanyrequests | pull rate limit",
        level=Level.DECISIVE,
    ),
    Rule(
        "docker.login",
        Kind.AUTH,
        words="pull access denied | no basic auth credentials"
        " | unauthorized: authentication required | denied: denied"
        " | unauthorized: incorrect username or password"
        " | access to the resource is denied | error saving credentials"
        " | error getting credentials | unauthorized: access token"
        " | requested access to the resource is denied"
        " | authorization failed: no basic auth | failed to fetch anonymous token"
        " | failed to fetch oauth token | denied: access forbidden"
        " | no credentials provided | incorrect username or password",
        pattern=r"\bunauthorized: ",
        unless=r"credential-\S{1,200}: executable file not found|exec: \"docker-credential"
        "|(?:anonymous|oauth) token(?s:.{0,2000})(?:i/o timeout|no such host|50[0234]"
        "|deadline exceeded|tls handshake)",
    ),
    Rule(
        "docker.image",
        Kind.NOT_FOUND,
        words="manifest unknown | manifest for | no such image | no such container"
        " | no such network | no such volume | name unknown | repository does not exist"
        " | network not found | reference does not exist | no such service"
        " | failed to read dockerfile | not found: manifest unknown"
        " | does not exist or no read access | failed to compute cache key"
        " | failed to calculate checksum of ref | unable to prepare context"
        " | unable to evaluate symlinks | no configuration file provided"
        " | network declared as external, but could not be found",
        unless="pull access denied|no matching manifest",
    ),
    Rule(
        "docker.setup",
        Kind.INVALID_CONFIG,
        words="no matching manifest for | does not match the detected host platform"
        " | does not match the specified platform | invalid reference format"
        " | repository name must be lowercase | invalid mount config"
        " | invalid volume specification | undefined service | depends on undefined"
        " | additional property | additional properties | unsupported config option"
        ' | services must be a mapping | service " | invalid containerport'
        " | invalid publish | unknown instruction | dockerfile parse error"
        " | requires at least | requires at least 1 argument | requires exactly"
        " | unknown runtime specified | could not select device driver | unknown log opt"
        ' | must be a mapping | invalid hostport | invalid env file | invalid argument "'
        " | top-level object must be a mapping | invalid spec"
        " | unknown or invalid runtime name | compose file | target stage"
        " | frontend grpc server closed unexpectedly",
        pattern="oci runtime (?:create|exec) failed(?!.{0,500}(?:executable file not found"
        "|permission denied|no such file|no space left|not a directory|out of memory))"
        r"|\bnvidia-container-cli\b|invalid interpolation format"
        "|target stage .{1,60} could not be found",
        unless=r"service \"(?!.{1,80}(?:refers|depends|has neither|is not|undefined))"
        r"|is unhealthy|could not select device driver \"\" with capabilities"
        r"|could not select device driver \"nvidia\"",
    ),
    Rule(
        "docker.gpu",
        Kind.MISSING_DEPENDENCY,
        words="could not select device driver | nvidia-container-cli: initialization error"
        " | nvidia-smi has failed | docker: 'compose' is not a docker command"
        " | 'compose' is not a docker command | 'buildx' is not a docker command"
        " | error getting credentials - err: exec | docker-credential-"
        " | buildx component is missing | requires buildkit"
        " | buildkit is enabled but the buildx",
    ),
    Rule(
        "docker.build",
        Kind.LOGIC,
        pattern=r"did not complete successfully: exit code: (?!137|127|100\b)"
        r"|the command '.{1,300}' returned a non-zero code: (?!137|127)|is unhealthy\b"
        r"|failed to solve: process \"|\bentrypoint\b.{0,60}exited with code",
        level=Level.DEFAULT,
    ),
    Rule(
        "docker.oom",
        Kind.OUT_OF_MEMORY,
        pattern="did not complete successfully: exit code: 137|returned a non-zero code: 137"
        r"|exited with code 137|exit code 137\b",
        level=Level.DECISIVE,
    ),
    Rule(
        "docker.exec",
        Kind.MISSING_DEPENDENCY,
        pattern="oci runtime .{0,60}failed.{0,200}executable file not found"
        r"|exec: \"[^\"\n]{1,200}\": (?:executable file not found"
        "|stat .{1,80}no such file)|starting container process caused.{0,120}no such file"
        "|non-zero code: 127|exit code: 127",
        level=Level.DECISIVE,
    ),
    Rule(
        "docker.in_use",
        Kind.RESOURCE_CONFLICT,
        pattern="the container name .{1,200} is already in use|port is already allocated"
        "|volume is in use|image is being used by|has active endpoints"
        "|is already in progress|network with name .{1,80} already exists"
        "|pool overlaps with other|could not find an available, non-overlapping|(?:bind"
        "|listen).{0,60}address already in use|is using its referenced image"
        "|cannot remove (?:a running )?container|container .{1,80} is (?:not )?running"
        "|all predefined address pools"
        "|removal of container .{1,80} is already in progress|ports are not available",
        level=Level.DECISIVE,
        unless="container .{1,80} is not running",
    ),
    Rule(
        "docker.not_running",
        Kind.INVALID_CONFIG,
        pattern=r"container [0-9a-f]{6,64} is not running|service \"\S{1,80}\" is not running",
    ),
    Rule("docker.arch", Kind.INVALID_CONFIG, words="exec format error"),
    # infrastructure
    Rule(
        "terraform.lock",
        Kind.LOCK,
        words="error acquiring the state lock"
        " | conditionalcheckfailedexception: the conditional request failed"
        " | error locking state | state blob is already locked"
        " | another operation (install/upgrade/rollback) is in progress"
        " | the stack is currently locked | workspace already locked"
        " | currently locked by | lock info:",
        level=Level.DECISIVE,
    ),
    Rule(
        "terraform.setup",
        Kind.INVALID_CONFIG,
        words="terraform initialized in an empty directory | error: unsupported argument"
        " | error: unsupported block type | error: missing required argument"
        " | error: no value for required variable | error: reference to undeclared"
        " | error: invalid reference | error: backend initialization required"
        " | error: backend configuration changed | error: invalid provider configuration"
        " | error: invalid value for variable | error: no configuration files"
        " | error: unsupported terraform core version | error: unsupported attribute"
        " | error: argument or block definition required"
        " | error: invalid function argument | error: duplicate"
        " | error: invalid count argument | error: incorrect attribute value type"
        " | error: cycle: | error: invalid index | error: inconsistent conditional"
        " | invalid for_each argument | error: value for undeclared variable",
    ),
    Rule(
        "terraform.provider",
        Kind.MISSING_DEPENDENCY,
        words="error: failed to query available provider packages"
        " | error: inconsistent dependency lock file | required plugins are not installed"
        " | could not load plugin | module not installed | error: could not load"
        " | error: required plugins | missing required provider"
        " | module is not yet installed | failed to install provider"
        " | charts/ directory but missing | found in chart.yaml, but missing in charts",
        unless="connection refused|timed? ?out|no such host|429|50[023] "
        "|does not have a provider named|no available releases match",
    ),
    Rule(
        "terraform.registry",
        Kind.NOT_FOUND,
        pattern="provider registry .{0,80}does not have a provider named"
        "|no available releases match|error: unreadable module directory"
        r"|could not find module|chart \"[^\"\n]{1,200}\" .{0,60}not found"
        r"|no chart (?:name|version) found|repo \S{1,200} not found|release: not found"
        r"|path \"[^\"\n]{1,200}\" not found|failed to download \"",
        level=Level.SPECIFIC,
    ),
    Rule(
        "helm.template",
        Kind.LOGIC,
        pattern="error: (?:template|execution error at|parse error at)|nil pointer evaluating"
        r"|function \"\w{1,80}\" not defined",
    ),
    Rule(
        "ansible",
        Kind.NETWORK,
        pattern=r"unreachable! =>|\"unreachable\": true",
        unless="permission denied|host key verification|authentication|timed out",
    ),
    Rule(
        "ansible.failed",
        Kind.LOGIC,
        pattern=r"fatal: \[[^\]\n]+\]: failed! =>",
        level=Level.DEFAULT,
    ),
    Rule(
        "systemd.unit",
        Kind.NOT_FOUND,
        pattern=r"unit \S{1,120} (?:could not be found|not found|not loaded)|failed to (?:start"
        r"|stop|restart) \S{1,120}: unit \S{1,200} not found",
    ),
    Rule(
        "systemd.boot",
        Kind.MISSING_DEPENDENCY,
        words="system has not been booted with systemd | failed to connect to bus",
    ),
    Rule(
        "systemd.auth",
        Kind.PERMISSION,
        words="interactive authentication required | failed to start transient"
        " | access denied as the requested operation requires interactive authentication"
        " | a password is required | a terminal is required to read the password"
        " | no tty present and no askpass program",
    ),
)
