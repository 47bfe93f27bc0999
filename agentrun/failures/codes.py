"""Rules for error codes that a body carries as a name: `"code": "token_expired"`,
`'error': 'missing_scope'`, `"errorCode":"UNABLE_TO_LOCK_ROW"`, `"type": "RATE_LIMITED"`.

Owns the words such names are made of, whatever the service and however it writes them (snake_case,
kebab-case, camelCase, CAPITALS). A name that a provider's own file knows is asked there first.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule

_KEY = (
    r"['\"](?:code|error|err|type|__type|reason|status|name|category|codename|message"
    r"|error_?code|error_?type|error_?name|error_?status|error_?reason|fault_?code)['\"]"
)


def _code(kind: Kind, names: str, *, level: Level = Level.GENERAL, unless: str = "") -> Rule:
    """A name may have a few words before and after the telling ones, but is one word."""
    return Rule(
        f"code.{kind.value}",
        kind,
        pattern=rf"{_KEY} ?[:=] ?['\"][\w.:-]{{0,40}}?(?:{names})[\w-]{{0,24}}['\"]",
        level=level,
        unless=unless,
    )


_SEP = "[-_. ]?"
_LIMIT = f"{_SEP}limit{_SEP}(?:exceeded|reached|hit)"

RULES: tuple[Rule, ...] = (
    _code(
        Kind.QUOTA,
        f"(?:billing|spend(?:ing)?|credits?|budget|plan|monthly|daily|usage){_LIMIT}"
        f"|quota{_SEP}(?:exceeded|reached|exhausted)|over{_SEP}quota|over{_SEP}query{_SEP}limit"
        f"|insufficient{_SEP}(?:funds|balance|credits?|quota)|out{_SEP}of{_SEP}credits?"
        f"|payment{_SEP}(?:required|failed|declined|past{_SEP}due)|card{_SEP}declined"
        f"|(?<![a-z])request_limit_exceeded|subscription{_SEP}(?:required|expired|inactive)"
        f"|trial{_SEP}(?:expired|ended)",
        level=Level.SPECIFIC,
        unless="per ?minute|per ?second|disk.?quota",
    ),
    _code(
        Kind.AUTH,
        f"(?:invalid|expired|missing|revoked|bad|wrong){_SEP}(?:access{_SEP}|api{_SEP}|auth{_SEP}"
        f"|bearer{_SEP}|refresh{_SEP}|id{_SEP}|session{_SEP}|client{_SEP})?"
        f"(?:token|key(?![a-z])|credentials?|password|secret|login|auth(?:entication)?|jwt)"
        f"|invalid{_SEP}(?:grant|client)(?![a-z])"
        f"|(?:token|session|password|api{_SEP}key|credentials?|jwt|login){_SEP}"
        "(?:is|was|has been)?_?(?:expired|revoked|invalid|missing|required)"
        f"|unauthenticated|not{_SEP}(?:authed|authenticated|logged{_SEP}in)|login{_SEP}required"
        f"|authentication(?:{_SEP}(?:failed|required|error|failure))?['\"]"
        f"|(?:mfa|otp|2fa|two{_SEP}factor){_SEP}(?:auth{_SEP})?required"
        f"|account{_SEP}(?:locked|inactive|deactivated)|request_denied",
        level=Level.SPECIFIC,
    ),
    _code(
        Kind.PERMISSION,
        f"forbidden|(?:access|permissions?){_SEP}denied"
        f"|(?:insufficient|missing){_SEP}(?:scopes?|permissions?|privileges?|rights)"
        f"|not{_SEP}(?:allowed|permitted|authorized|entitled)"
        f"|account{_SEP}(?:restricted|suspended|disabled|blocked|banned)"
        f"|(?:org|organization|team|workspace){_SEP}(?:restricted|suspended|disabled)"
        f"|admin{_SEP}(?:only|required)|restricted{_SEP}action",
        unless=f"method{_SEP}not{_SEP}allowed",
    ),
    _code(
        Kind.RATE_LIMIT,
        f"rate{_SEP}?limit(?:ed|{_SEP}exceeded|{_SEP}reached)?|too{_SEP}many{_SEP}requests"
        f"|throttl(?:ed|ing)|flood{_SEP}wait|slow{_SEP}down|concurrency{_LIMIT}",
    ),
    _code(
        Kind.LOCK,
        f"unable{_SEP}to{_SEP}lock|lock{_SEP}timeout|(?:row|resource|record|file|object){_SEP}locked"
        f"|deadlock|concurrent{_SEP}(?:modification|update|request)"
        f"|(?:request|operation|job){_SEP}in{_SEP}progress",
        level=Level.SPECIFIC,
    ),
    _code(
        Kind.RESOURCE_CONFLICT,
        f"already{_SEP}(?:exists|in{_SEP}use|taken)|duplicate|version{_SEP}conflict"
        f"|precondition{_SEP}failed|conflict",
    ),
    _code(
        Kind.OVERLOADED,
        f"(?:service|server|temporarily){_SEP}unavailable|overloaded|internal{_SEP}(?:server{_SEP})?error"
        f"|maintenance|capacity{_SEP}exceeded",
    ),
    _code(Kind.TIMEOUT, f"timed?{_SEP}out|deadline{_SEP}exceeded"),
    _code(
        Kind.NOT_FOUND,
        f"not{_SEP}found|does{_SEP}not{_SEP}exist|no{_SEP}such{_SEP}\\w{{1,30}}"
        f"|unknown{_SEP}(?:user|channel|resource|account|object)",
        unless=f"(?:api_?)?key{_SEP}not{_SEP}found",
    ),
    _code(
        Kind.INPUT_FORMAT,
        f"validation{_SEP}(?:error|failed)|unprocessable|malformed|invalid{_SEP}(?:json|body|payload)"
        f"|(?:payload|entity|file|image){_SEP}too{_SEP}large",
    ),
    _code(
        Kind.INVALID_CONFIG,
        f"unsupported{_SEP}(?:parameter|value|operation|media|version)|unknown{_SEP}parameter"
        f"|invalid{_SEP}scope|method{_SEP}not{_SEP}allowed|not{_SEP}implemented",
    ),
)
