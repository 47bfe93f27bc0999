"""Rules for coding agents' command lines: claude, codex, gemini, qwen, opencode, aider, cursor,
copilot, goose, amp, crush, llm.

Owns what they print of themselves: their own JSON, limits of plans, refusals to start. They exit 1
for nearly everything (aider even 0), so their words decide. What they repeat from a provider is
llm.py's.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        "agent.interrupted",
        Kind.CANCELLED,
        words="request interrupted by user | [request interrupted | interrupted by user"
        " | cancelled by user | canceled by user | cancelled by the user"
        " | canceled by the user | aborted by user | user cancelled | user canceled"
        " | user aborted | user interrupted | user requested cancellation"
        " | due to user request | turn_aborted | the user aborted a request"
        " | session was aborted | prompt was interrupted",
        level=Level.DECISIVE,
    ),
    # their own JSON
    Rule(
        "agent.json.prompt_too_long",
        Kind.CONTEXT_OVERFLOW,
        pattern=r"\"terminal_reason\" ?: ?\"prompt_too_long\"",
        level=Level.DECISIVE,
    ),
    Rule(
        "agent.json.limits",
        Kind.LOGIC,
        pattern=r"\"subtype\" ?: ?\"error_max_turns\"|reached max turns"
        "|max(?:imum)? (?:session )?turns (?:reached|exceeded)"
        "|reached max (?:session )?turns|maxsessionturns|maximum number of (?:turns|steps"
        "|iterations)|fatalturnlimitederror|turn limit|graphrecursionerror"
        r"|recursion limit of \d{1,9} reached|agent stopped due to iteration limit"
        r"|max iterations reached|maxturnsexceeded|max turns \(\d{1,9}\) exceeded",
        unless="rate.?limit",
    ),
    Rule(
        "agent.json.budget",
        Kind.QUOTA,
        pattern="error_max_budget|maximum budget|budget (?:exceeded|reached|exhausted)"
        "|max[-_ ]budget[-_ ]usd",
        unless="timeout",
    ),
    Rule(
        "agent.json.structured",
        Kind.OUTPUT_FORMAT,
        words="error_max_structured_output_retries | failed to provide valid structured output",
        level=Level.DECISIVE,
    ),
    *(
        Rule(
            f"agent.json.status.{status}",
            kind,
            pattern=rf"\"(?:api_error_status|last_status|error_status)\" ?: ?\"?{status}\b",
            level=Level.GENERAL,
        )
        for status, kind in (
            (401, Kind.AUTH),
            (402, Kind.QUOTA),
            (403, Kind.PERMISSION),
            (404, Kind.NOT_FOUND),
            (413, Kind.CONTEXT_OVERFLOW),
            (429, Kind.RATE_LIMIT),
            (500, Kind.OVERLOADED),
            (503, Kind.OVERLOADED),
            (529, Kind.OVERLOADED),
        )
    ),
    # plans
    Rule(
        "agent.plan_limit",
        Kind.QUOTA,
        pattern=r"\bclaude (?:ai )?usage limit reached|\byou've hit your (?:\w{1,80} )?(?:usage "
        r"|session |weekly )?limit|\bto use codex with your chatgpt plan"
        r"|\bupgrade to (?:pro|plus|max)\b|\busage_limit_reached|\bresets_in_seconds\b"
        r"|\bquota exceeded\. check your plan|\byou have (?:exhausted|reached"
        r"|used) (?:your|all)\b.{0,60}\b(?:quota|limit|capacity|credits|requests)"
        r"|\bexhausted your capacity on this model",
        level=Level.DECISIVE,
        unless="pull rate limit|toomanyrequests",
    ),
    # trust and sandbox
    Rule(
        "agent.trust",
        Kind.SECURITY,
        words="not running in a trusted directory | not inside a trusted directory"
        " | untrusted folder | untrusted directory | is not trusted | not a trusted"
        " | workspace trust | do you trust | for security reasons | sandbox denied"
        " | sandbox violation | denied by sandbox | blocked by sandbox"
        " | blocked by the sandbox | command not allowed by policy | policy refused"
        " | security policy | blocked by a hook | hook denied",
    ),
    Rule(
        "gemini.exit.auth",
        Kind.AUTH,
        exit_codes=(41,),
        programs=("gemini", "qwen"),
        level=Level.GENERAL,
    ),
    Rule(
        "gemini.exit.input",
        Kind.INPUT_FORMAT,
        exit_codes=(42,),
        programs=("gemini", "qwen"),
        level=Level.DEFAULT,
    ),
    Rule(
        "gemini.exit.sandbox",
        Kind.SECURITY,
        exit_codes=(44, 55),
        programs=("gemini", "qwen"),
        level=Level.GENERAL,
    ),
    Rule(
        "gemini.exit.config",
        Kind.INVALID_CONFIG,
        exit_codes=(52,),
        programs=("gemini", "qwen"),
        level=Level.GENERAL,
    ),
    Rule(
        "gemini.exit.turns",
        Kind.LOGIC,
        exit_codes=(53,),
        programs=("gemini", "qwen"),
        level=Level.GENERAL,
    ),
    # who are you
    Rule(
        "agent.login",
        Kind.AUTH,
        words="not logged in | login incorrect | auth failed on module | please log in"
        " | please login | log in again | login again | please run `codex login`"
        " | run 'codex login' | please set an auth method | set an auth method"
        " | auth method | please sign in | sign in again | session expired"
        " | session has expired | failed to authenticate | authentication failed"
        " | authentication error | authentication failure"
        " | missing environment variable: ` | no credentials"
        " | no authentication information | not_authed | invalid_auth | token_revoked"
        " | account_inactive | credentials not found | could not find credentials"
        " | unable to locate credentials | could not load credentials"
        " | could not load the default credentials | default credentials were not found"
        " | no valid credentials | missing credentials | invalid username or"
        " | gh auth login | loginrequired | device not authorized",
        unless="does not have permission|permission_error|api error: 403|not authorized to use"
        "|timed? ?out (?:during|while).{0,20}authenticat",
    ),
    # their versions, sessions and settings
    Rule(
        "agent.version",
        Kind.MISSING_DEPENDENCY,
        exception="UnknownVersionError",
        channels=("llm",),
        level=Level.DECISIVE,
    ),
    Rule(
        "agent.session",
        Kind.NOT_FOUND,
        words="no conversation found | session not found | no session found | no rollout found"
        " | thread not found | conversation not found | no previous sessions found"
        " | no saved session",
    ),
    Rule(
        "agent.setup",
        Kind.INVALID_CONFIG,
        words="error loading config.toml | error loading configuration | failed to load config"
        " | invalid settings | invalid mcp configuration"
        " | input must be provided either through stdin or as a prompt argument"
        " | no prompt provided | no input provided via stdin | raw mode is not supported"
        " | stdin is not a terminal | not a tty | not a terminal"
        " | requires an interactive terminal | inappropriate ioctl for device | --print"
        " | config profile | model provider | unknown agent | nested session"
        " | cannot be launched inside another",
        pattern="^mcp config file not found|^error: invalid mcp config",
        unless="model provider .{0,40}(?:error|overloaded)",
        level=Level.GENERAL,
    ),
    Rule(
        "agent.gateway",
        Kind.NETWORK,
        words="empty or malformed response (http 200) | check for a proxy or gateway"
        " | stream closed before response.completed"
        " | stream disconnected before completion | stream ended without"
        " | response ended prematurely | error sending request for url"
        " | unable to connect to api | connection error. | terminated (other side closed)",
        unless="rate limit|certificate",
    ),
    Rule(
        "mcp.gone",
        Kind.CRASH,
        pattern="mcp error -32000|mcp (?:server|client|connection).{0,60}(?:closed|exited"
        "|disconnected|died|crashed)|mcp.{0,40}connection closed",
        unless="enoent|not found|no such file|econnrefused|timed out",
    ),
    Rule("mcp.timeout", Kind.TIMEOUT, pattern="mcp error -32001|mcp .{0,60}timed out"),
    Rule(
        "mcp.params",
        Kind.INPUT_FORMAT,
        pattern=r"mcp error -32602|\"code\" ?: ?-32602|\"code\" ?: ?-32700",
    ),
    Rule("mcp.method", Kind.INVALID_CONFIG, pattern=r"mcp error -32601|\"code\" ?: ?-32601"),
)
