"""Whether a failure proves that nothing happened outside.

Owns the one judgement that lets a step with `idempotent: false` be retried by itself. Narrow on
purpose: a timeout, a reset connection or a 5xx may hide a request that was served.
"""

from msgspec import structs

from agentrun.core.failure import Evidence, Kind, Verdict
from agentrun.failures.facts import facts_of
from agentrun.failures.rules import compiled

_NEVER_CONNECTED = (
    r"connection refused|econnrefused|actively refused it|err_connection_refused"
    r"|name or service not known|temporary failure in name resolution|nodename nor servname"
    r"|could not resolve (?:host|proxy)|\benotfound\b|\beai_again\b"
    r"|no such host|failed to lookup address|err_name_not_resolved|unknownhostexception"
    r"|couldn't connect to server|curl: \(7\)"
    r"|no route to host|network is unreachable|name resolution (?:error|failed)"
)
_BROKE_LATER = (
    r"connection reset|econnreset|broken pipe|remote end (?:closed|hung up)|socket hang up"
    r"|premature|incomplete ?read|server disconnected|timed out|early eof"
)
_NEVER_STARTED = (
    r"command not found|: not found$|\bspawn \S{1,200} enoent\b|executable file not found"
    r"|no such file|permission denied"
)


def nothing_took_effect(evidence: Evidence, verdict: Verdict) -> bool:
    """Return True only for a refused or unresolved connection, a 429 or a missing program. Of a
    function only its own last word counts: what it handled before may have come after an effect.
    """
    if evidence.channel == "python":
        last = evidence.text.rstrip().rpartition("\n")[2]
        evidence = structs.replace(evidence, text=last, causes=())
    facts = facts_of(evidence)
    match verdict.kind:
        case Kind.RATE_LIMIT:
            own = evidence.status if evidence.channel == "python" else facts.status
            return own == 429
        case Kind.NETWORK:
            reached = compiled(_BROKE_LATER).search(facts.text)
            return bool(compiled(_NEVER_CONNECTED).search(facts.text)) and not reached
        case Kind.MISSING_DEPENDENCY | Kind.PERMISSION | Kind.NOT_FOUND:
            return _program_never_ran(evidence, facts.text)
        case _:
            return False


def _program_never_ran(evidence: Evidence, text: str) -> bool:
    """Tell a lone command, which answers 126 or 127 unstarted, from a script stopped halfway."""
    if evidence.channel != "subprocess" or evidence.exit_code not in (126, 127):
        return False
    lines = [line for line in text.splitlines() if line.strip()]
    return len(lines) <= 1 and (not lines or bool(compiled(_NEVER_STARTED).search(text)))
