"""Rules of last resort: a noun and what befell it, in whatever program's words.

Owns the grammar of complaints: `could not import module`, `pattern matched no files`, `invalid
regular expression`. They are asked when nothing that knows more has matched, so they may be broad;
but none of them says that a failure passes by itself unless the words say so plainly, since a
retry on a hunch costs more than a stop. Words that name no cause ("failed", "exit code 1",
"something went wrong") are in none of them.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule


def _hunch(kind: Kind, pattern: str, unless: str = "") -> Rule:
    return Rule(f"hunch.{kind.value}", kind, pattern=pattern, level=Level.HUNCH, unless=unless)


_CANNOT = r"(?:could not|couldn't|cannot|can ?not|can't|unable to|failed to|failure to)"
_SOURCE = (
    r"(?:py|pyi|rb|rs|go|cc?|cpp|cxx|hh?|hpp|java|kt|scala|swift|[cm]?[jt]sx?|vue|svelte|php|lua|pl"
    r"|pm|sh|bash|sql|cs|fs|ex|exs|erl|hs|ml|zig|tf|dart|groovy|gradle|s?css|less|proto|graphql)"
)

RULES: tuple[Rule, ...] = (
    _hunch(
        Kind.QUOTA,
        r"\b(?:credits?|billing|subscription|trial|balance|payments?|invoices?|licen[cs]es?|seats?"
        r"|allowance|budget)\b.{0,60}\b(?:exceeded|reached|exhausted|expired|insufficient|required"
        r"|ended|used up|overdue|unpaid|declined|depleted|too low|not active|inactive)\b"
        r"|\bmaximum number of .{1,60} (?:has been |was |is )?(?:reached|exceeded)\b"
        r"|\b(?:reached|exceeded) (?:the|your) (?:maximum|limit|allowance|allotment)\b"
        r"|\bupgrade (?:to|your) (?:\w{1,20} ){0,2}(?:plan|account|subscription)\b",
    ),
    _hunch(
        Kind.SECURITY,
        r"\b(?:signature|checksum|digest|certificate|fingerprint)s?\b.{0,40}\b(?:invalid|mismatch"
        r"|does not match|do not match|not trusted|untrusted|verification failed|expired|revoked"
        r"|rejected)\b|\binvalid (?:signature|certificate|checksum)\b|\bsandbox\w{0,10}\b.{0,40}"
        r"\b(?:denied|violation|error|restrict|refused)|\blandlock|\bseccomp|\bapparmor\b|\bselinux\b"
        r"|\bcaptcha\b|\b[cx]srf\b|\bmalware\b|\bvirus\b",
    ),
    _hunch(
        Kind.AUTH,
        r"\b(?:log ?in|sign[- ]?in|logon|authenticat\w{1,6}|credentials?|passwords?|passphrase"
        r"|token"
        r"|api[- ]?key|access key|secret key|private key)\b.{0,60}\b(?:failed|fails|failure|invalid"
        r"|expired|required|missing|denied|rejected|wrong|incorrect|not valid|not accepted|refused"
        r"|not provided|not supplied|unknown)\b|\bplease (?:log|sign) ?in\b|\bre-?authenticate\b",
        unless=r"syntax|unexpected token|parse",
    ),
    _hunch(
        Kind.PERMISSION,
        r"\b(?:not|isn't|aren't|never) (?:allowed|permitted|entitled|eligible|authori[sz]ed)\b"
        r"|\b(?:denied|forbids?|disallow(?:s|ed)?|prohibited|banned|blocked)\b"
        r"|\bnot available in your\b|\b(?:rights|privileges?|permissions?)\b.{0,40}\b(?:missing"
        r"|lack"
        r"|insufficient|required|needed)\b|\bread[- ]only\b|\bnot writ(?:e)?able\b",
    ),
    _hunch(
        Kind.RATE_LIMIT,
        r"\b(?:too (?:much|many|often|frequently|fast|quickly))\b.{0,60}\b(?:wait|later|slow"
        r"|again)\b"
        r"|\bwait (?:for )?(?:\d{1,6}|a few|some) ?\w{1,10} (?:before|and then)\b"
        r"|\brequest rate is too high\b|\breduce (?:the|your) (?:frequency|rate)\b",
    ),
    _hunch(
        Kind.OVERLOADED,
        r"\b(?:service|server|system|backend|site|api|cluster) is (?:currently |temporarily )?"
        r"(?:busy|down|unavailable|overloaded|offline|not ready|restarting)\b"
        r"|\bserver error\b|\b(?:retry|try again) (?:later|in a (?:few|little|moment|minute)\w*)\b",
    ),
    _hunch(
        Kind.TIMEOUT,
        r"\b(?:took|lasted|longer) .{0,30}\b(?:too long|than (?:the )?\d{1,9} ?(?:ms|s|m|sec|min"
        r"|h))"
        r"|\bno (?:response|answer|reply) (?:from|after|within|received)\b"
        r"|\bexecution took longer\b"
        r"|\bgave up (?:waiting|after)\b",
    ),
    _hunch(
        Kind.NETWORK,
        r"\b(?:connection|socket|stream|transfer|download|upload|network|tunnel|handshake)\b.{0,40}"
        r"\b(?:lost|dropped|closed|reset|refused|aborted|interrupted|broken|terminated|unreachable)\b"
        rf"|\b{_CANNOT} (?:connect|reach|contact|resolve (?:the )?host|download|establish)\b",
    ),
    _hunch(
        Kind.LOCK,
        r"\b(?:is|are|was|file|currently|already) (?:being )?(?:locked|held|used) by\b"
        r"|\bhas changed since (?:we|it was|you) (?:read|loaded|opened)|\bresource (?:is )?busy\b",
    ),
    _hunch(
        Kind.RESOURCE_CONFLICT,
        r"\balready (?:exists?|in use|taken|running|started|open|registered|defined|present"
        r"|installed"
        r"|used|initiali[sz]ed|claimed)\b|\bduplicate\b|\bconflict(?:s|ing)?\b|\bin use\b"
        r"|\bnot empty\b"
        r"|\bout of (?:sync|date)\b|\bhas no deployed\b|\bdiverged\b|\bdirty\b|\buncommitted\b",
    ),
    _hunch(
        Kind.MISSING_DEPENDENCY,
        r"\bno module named\b|\bmodule not found\b"
        rf"|\b{_CANNOT} (?:be )?(?:import|load|resolve|find|locate|start)(?:ed)? (?:the )?"
        r"(?:[\w.-]{1,30} )?(?:module|extension|plugin|package|library|dependency|driver|provider"
        r"|runner|engine|kernel|compiler|interpreter|shared object)\b"
        r"|\b(?:module|package|library|plugin|extension|dependency|driver|command|executable|binary"
        r"|interpreter|compiler|toolchain|sdk|tool|font|codec)\b.{0,60}\b(?:not found|missing"
        r"|not (?:be )?(?:installed|loaded|imported|available)|unavailable)\b"
        r"|\bplease install\b|\btry installing\b|\btry running: (?:npm|pip|apt|brew|cargo|go|gem)\b"
        r"|\brequires [\w.+-]{1,40} (?:version )?\d[\w.]* or (?:newer|later|higher|above)\b",
    ),
    _hunch(
        Kind.NOT_FOUND,
        r"\bnot (?:be )?(?:found|located)\b|\bno such\b|\bmatched no\b|\bno match(?:es|ing)?\b"
        r"|\bno longer exists?\b|\bis not a (?:file|directory|folder|repository)\b"
        rf"|\b{_CANNOT} (?:be )?(?:find|locate|open|read|resolve|access|stat|lstat)(?:ed)?\b"
        r"|\bdoes(?: not|n't) contain (?:an? |any |the )?[\w.]{1,60}\b"
        r"|\bno [\w' -]{1,40} (?:found|exists?|defined|matching|matched)\b"
        r"|\bnon-?existent\b|\bunknown (?:host|user|id|resource|record|entity|revision|branch"
        r"|tag)\b"
        r"|\bmissing (?:file|directory|folder|resource|record|page|branch)\b",
        unless=r"\bno (?:problems?|errors?|issues?|warnings?|changes|differences) found\b",
    ),
    _hunch(
        Kind.INPUT_FORMAT,
        r"\b(?:invalid|illegal|malformed|corrupt|bad|unexpected|unreadable|unrecogni[sz]ed"
        r"|undecodable|incomplete)\b.{0,40}\b(?:input|data|files?|format|characters?|digit|number"
        r"|dates?|json|xml|csv|yaml|toml|html|image|encoding|headers?|payload|body|rows?|columns?"
        r"|fields?|records?|document|archive|message|checksum|sequence|utf-?\d{1,2})\b"
        r"|\bparse\w{0,20}error\b|\b(?:file|input|payload|body|image|document|message|upload)\b.{0,60}"
        r"\b(?:exceeds?|too (?:large|big|long|short|small))\b|\bdoes not (?:appear|look|seem)"
        r" (?:to be|like) (?:an? )?(?:valid )?(?:json|xml|csv|yaml|zip|image|pdf|archive"
        r"|\w{1,20} file)\b"
        rf"|\b{_CANNOT} (?:be )?(?:parse|decode|deseriali[sz]e|convert|unmarshal|decompress|unpack"
        r"|extract)(?:d|ed)?\b|\bcontains? (?:nan|null|nul|infinity)\b",
    ),
    _hunch(
        Kind.INVALID_CONFIG,
        r"\b(?:config\w{0,12}|settings?|options?|arguments?|flags?|parameters?|properties|property"
        r"|environment|variables?|usage|regular expression|regex|expression|pattern|commands?"
        r"|subcommands?|keys?|values?|profile|schema|version|url|uri|port|path|theme)\b.{0,60}\b"
        r"(?:invalid|missing|unknown|unrecogni[sz]ed|required|not (?:set|valid|supported|available"
        r"|defined|allowed|recogni[sz]ed|provided|specified)|wrong|incorrect|unsupported|undefined)\b"
        r"|\b(?:invalid|missing|unknown|unrecogni[sz]ed|unsupported|undefined|incorrect|illegal"
        r"|ambiguous) [\w' `\"-]{1,40}|\bmust be\b|\bshould be\b"
        r"|\bexpected\b.{1,60}\b(?:but )?(?:got"
        r"|found|received)\b|\bnot inside (?:of )?an?\b|\b(?:only|not) available (?:from|in"
        r"|inside|for"
        r"|with|on)\b|\bis required\b|\bare required\b|\bnot configured\b"
        r"|\bis not an? (?:positive|valid"
        r"|number|integer|boolean|string)\b",
    ),
    _hunch(
        Kind.LOGIC,
        rf"^(?:\./)?[\w./-]{{1,200}}\.{_SOURCE}:\d{{1,9}}(?::\d{{1,9}})?:? "
        rf"|\bat [\w./-]{{1,200}}\.{_SOURCE} line \d{{1,9}}|\bassert\w{{0,12}} (?:failed|error)\b"
        r"|\b(?:test|tests|spec|lint|linter|compil\w{1,8}|type ?check\w{0,4}|check|checks|hook)\b"
        r".{0,40}\b(?:failed|failing|failures?|errors?|problems?)\b|\bundefined (?:name|symbol)\b",
    ),
)
