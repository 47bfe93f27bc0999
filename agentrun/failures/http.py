"""Rules for HTTP: the status, the headers, and what a body says whatever the service.

Owns the table of statuses. Most are asked last, because the body beats them: 429 may be an empty
purse, 403 a rate limit, 500 a full memory.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule

STATUS_KINDS: tuple[tuple[Kind, tuple[int, ...]], ...] = (
    (Kind.CANCELLED, (499,)),
    (Kind.AUTH, (401, 407, 419, 440, 511)),
    (Kind.QUOTA, (402, 509)),
    (Kind.PERMISSION, (403, 451)),
    (Kind.NOT_FOUND, (404, 410)),
    (Kind.TIMEOUT, (408, 504, 522, 524, 598, 599)),
    (Kind.RESOURCE_CONFLICT, (409, 412, 428)),
    (Kind.LOCK, (423,)),
    (Kind.RATE_LIMIT, (420, 429)),
    (Kind.OVERLOADED, (425, 424, 500, 502, 503, 520, 521, 523, 527, 529, 530)),
    (Kind.NETWORK, (421, 444)),
    (Kind.SECURITY, (495, 496, 525, 526)),
    (Kind.DISK_FULL, (507,)),
    (Kind.INPUT_FORMAT, (400, 411, 413, 414, 415, 416, 417, 422, 431)),
    (
        Kind.INVALID_CONFIG,
        (300, 301, 302, 303, 305, 307, 308, 405, 406, 418, 426, 497, 501, 505, 508, 510),
    ),
)

RULES: tuple[Rule, ...] = (
    Rule(
        "http.secondary_rate_limit",
        Kind.RATE_LIMIT,
        pattern="secondary rate limit|abuse detection|api rate limit exceeded|rate limit exceeded"
        "|limit exceeded for",
        statuses=(403, 429),
        level=Level.DECISIVE,
        unless="per[- ]day|daily",
    ),
    Rule(
        "http.403_retry_after",
        Kind.RATE_LIMIT,
        statuses=(403,),
        headers=(("retry-after", "\\d"),),
    ),
    Rule(
        "http.403_none_remaining",
        Kind.RATE_LIMIT,
        statuses=(403,),
        headers=(("x-ratelimit-remaining", "^0$"),),
    ),
    Rule(
        "http.413_context",
        Kind.CONTEXT_OVERFLOW,
        statuses=(413,),
        channels=("llm",),
        level=Level.GENERAL,
    ),
    Rule(
        "http.wrong_mimetype",
        Kind.OUTPUT_FORMAT,
        words="attempt to decode json with unexpected mimetype | unexpected content type",
    ),
    Rule(
        "http.bad_protocol",
        Kind.NETWORK,
        words="bad status line | badstatusline | received http/0.9 when not allowed"
        " | bad http response | malformed http | hpe_invalid",
    ),
    Rule(
        "http.not_json",
        Kind.OUTPUT_FORMAT,
        pattern=r"^\s*<(?:!doctype html|html)",
        statuses=(200, 201, 202, 203),
        level=Level.GENERAL,
    ),
    Rule(
        "http.redirects",
        Kind.INVALID_CONFIG,
        words="too many redirects | maximum (50) redirects | exceeded 30 redirects"
        " | redirect loop | redirection limit | exceeded maximum allowed redirects",
        pattern=r"redirect count exceeded|maximum \(\d{1,9}\) redirects|exceeded \d{1,9} redirects"
        r"|stopped after \d{1,9} redirects",
    ),
    Rule(
        "http.signature_expired",
        Kind.AUTH,
        words="requesttimetooskewed | request has expired | signature expired"
        " | token is expired | token has expired | token expired | jwt expired"
        " | invalid_token | invalid_grant | invalid_client | expiredtoken"
        " | signaturedoesnotmatch | bad credentials | invalid credentials"
        " | authentication required | requires authentication | www-authenticate"
        " | not authenticated | unauthenticated | login required"
        " | authentication credentials were not provided | must use an api key",
        pattern="<title>[^<]{0,80}(?:sign in|log ?in)\\b",
    ),
    # a login that was tried too often is not asked to slow down: the next try may lock it
    Rule(
        "auth.locked_out",
        Kind.AUTH,
        pattern=r"\btoo many (?:failed |invalid |incorrect |unsuccessful )?(?:log ?in|sign[- ]?in"
        r"|password|authentication|auth|pin|otp|failed|invalid|incorrect) (?:attempts|failures|tries)"
        r"|\baccount (?:has been |was |is )?(?:temporarily )?locked\b|\b(?:user|login|account)"
        r" (?:is|has been|was) locked out",
        level=Level.DECISIVE,
    ),
    Rule(
        "auth.second_factor",
        Kind.AUTH,
        pattern=r"\b(?:two[- ]factor|multi[- ]factor|2fa|mfa|one-time (?:password|code|passcode)|otp"
        r"|verification code)\b.{0,80}\b(?:required|needed|invalid|expired|must|missing|enter)\b"
        r"|\brequires (?:two|multi)[- ]factor\b",
    ),
    Rule(
        "auth.words",
        Kind.AUTH,
        pattern=r"\bdecryption failed\b|\b(?:invalid|incorrect|wrong|expired|missing|bad|revoked) (?:\w{1,20} ){0,2}"
        r"(?:credentials?|password|passphrase|api[- ]key|access[- ]key|access token|bearer token"
        r"|auth token|session token|client secret|authentication token)\b"
        r"|\b(?:credentials?|password|passphrase|api[- ]key|access[- ]key|(?:access|auth|bearer"
        r"|session|refresh|security|personal) token|client secrets?(?: keys?)?|login|session)\b"
        r".{0,40}\b(?:(?:is|are|was|were|has|have) )?(?:been )?(?:invalid|incorrect|expired|revoked"
        r"|rejected|not accepted|not valid|wrong)\b"
        r"|\bunauthori[sz]ed\b(?!.{0,40}operation)|\b(?:log|sign) ?in (?:is )?required\b"
        r"|\byou (?:must|need to) (?:be logged in|log in|sign in|authenticate)\b",
        level=Level.GENERAL,
        unless="syntaxerror|parse error|unexpected token",
    ),
    Rule(
        "permission.restricted",
        Kind.PERMISSION,
        pattern=r"\b(?:organi[sz]ation|account|user|project|team|workspace|tenant|repository)"
        r" (?:has been|was|is) (?:restricted|blocked|banned|disabled|deactivated|terminated)\b"
        r"|\b(?:isn't|is not|not) (?:white|allow)-?listed\b",
    ),
    Rule(
        "api.not_found", Kind.NOT_FOUND, pattern=r"['\"]error['\"] ?: ?['\"]\w{0,40}_not_found['\"]"
    ),
    Rule(
        "api.scope",
        Kind.PERMISSION,
        pattern=r"['\"]error['\"] ?: ?['\"](?:missing_scope|not_allowed_token_type|not_in_channel"
        r"|insufficient_scope|access_denied|ekm_access_denied|restricted_action)['\"]",
    ),
    Rule(
        "http.conflict_words",
        Kind.RESOURCE_CONFLICT,
        words="precondition failed | precondition_failed - | if-match | etag mismatch | optimistic concurrency"
        " | version conflict | version_conflict | revision conflict"
        " | document update conflict | conditionalcheckfailed | resourcealreadyexists"
        " | resource_already_exists | already_exists | bucketalreadyownedbyyou"
        " | bucketalreadyexists | has been modified",
    ),
    Rule(
        "http.locked",
        Kind.LOCK,
        pattern=r"\b423 locked\b|\"locked\"|resource (?:is|was) locked|webdav.{0,40}locked",
        statuses=(423,),
    ),
    Rule(
        "policy.disallowed",
        Kind.SECURITY,
        pattern=r"\b(?:disallowed|denied|blocked|prohibited|rejected|restricted)(?: access)? by (?:\w{1,20} ){0,3}"
        r"polic(?:y|ies)\b|disallowedbypolicy|\bpolic(?:y|ies) (?:\w{1,20} )?(?:violation|violated|denied"
        r"|prohibits|disallows|forbids)\b",
        unless=r"npm (?:err!|error) code e403|network policy|retry policy",
    ),
    Rule(
        "http.blocked",
        Kind.SECURITY,
        words="cf-mitigated | attention required! | request blocked by waf"
        " | web application firewall | security policy violation | captcha"
        " | blocked by policy | blocked by our security | sqli detected",
    ),
    Rule("http.unprocessable", Kind.INPUT_FORMAT, statuses=(422,), level=Level.GENERAL),
    # who is asking comes before all that may pass: no word in its body excuses a 401
    Rule("http.unauthorized", Kind.AUTH, statuses=(401,), channels=("http", "llm", "python")),
    Rule("http.payment", Kind.QUOTA, statuses=(402,), level=Level.SPECIFIC),
    *(
        Rule(f"http.status.{status}", kind, statuses=(status,), level=Level.DEFAULT)
        for kind, statuses in STATUS_KINDS
        for status in statuses
    ),
)
