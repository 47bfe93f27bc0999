"""Claude Code: `claude -p --output-format stream-json`.

Its traps: a failure says `"subtype": "success"` beside `"is_error": true`; the streamed answer
falls back to a second, unstreamed request (switched off: it is a retry); a session is found only
from the folder in which it began; a session id that is in use can't be given again.
`--json-schema` is not used: it makes the CLI ask again by itself, and asking again is the runner's.
"""

import functools
import json
import re
from collections.abc import Mapping

import msgspec

from agentrun.core.model import Json
from agentrun.core.outcome import Usage
from agentrun.steps.agent import AgentSpec, McpServer
from agentrun.steps.agents import mcp_values
from agentrun.steps.agents.contract import (
    Answer,
    Ask,
    Dialect,
    Launch,
    as_int,
    as_object,
    as_status,
    as_usd,
)

_PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "read": ("--permission-mode", "dontAsk"),
    "edit": ("--permission-mode", "acceptEdits"),
    "full": ("--permission-mode", "bypassPermissions"),
}
_LOG_IN = "Please run /login"
_HOW_TO_LOG_IN = "set ANTHROPIC_API_KEY, or log in once with `claude`"
_WRITING_TOOLS = ("Bash", "Edit", "Write", "NotebookEdit")


def launch(ask: Ask) -> Launch:
    """Return the command; the prompt goes in by stdin, which has no limit of size."""
    spec = ask.spec
    session, flags = _session(ask)
    command = ["claude", "-p", "--output-format", "stream-json", "--verbose", *flags]
    if ask.model:
        command += ["--model", ask.model]
    if spec.system:
        command += ["--append-system-prompt", spec.system]
    if spec.max_turns is not None:
        command += ["--max-turns", str(spec.max_turns)]
    command += [*_tools(spec), *_mcp(spec.mcp), *spec.args]
    return Launch(
        tuple(command), _environment(spec, ask.env), ask.prompt.encode(), session, model=ask.model
    )


def _session(ask: Ask) -> tuple[str, list[str]]:
    if ask.resume is None:
        return ask.new_session, ["--session-id", ask.new_session]
    if ask.fork:
        flags = ["--resume", ask.resume, "--fork-session", "--session-id", ask.new_session]
        return ask.new_session, flags
    return ask.resume, ["--resume", ask.resume]


def _tools(spec: AgentSpec) -> list[str]:
    flags = list(_PERMISSIONS[spec.permissions])
    denied = [*spec.disallowed_tools, *(_WRITING_TOOLS if spec.permissions == "read" else ())]
    if spec.allowed_tools:
        flags += ["--allowedTools", ",".join(spec.allowed_tools)]
    if denied:
        flags += ["--disallowedTools", ",".join(denied)]
    return flags


def _mcp(servers: Mapping[str, McpServer]) -> list[str]:
    if not servers:
        return []
    told = {name: _mcp_server(n, server) for n, (name, server) in enumerate(servers.items())}
    return ["--mcp-config", json.dumps({"mcpServers": told})]


def _mcp_server(place: int, server: McpServer) -> dict[str, Json]:
    carried = {key: f"${{{name}}}" for key, name in mcp_values.names(place, server).items()}
    if server.url is not None:
        return {"type": "http", "url": server.url, "headers": carried}
    return {"command": server.command, "args": list(server.args), "env": carried}


def _environment(spec: AgentSpec, env: Mapping[str, str]) -> dict[str, str | None]:
    changes: dict[str, str | None] = {
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDECODE": None,  # set where agentrun itself was started by it: it refuses to nest
        **mcp_values.variables(spec.mcp),
    }
    if spec.base_url:
        changes["ANTHROPIC_BASE_URL"] = spec.base_url
    if spec.api_key_env:
        changes["ANTHROPIC_API_KEY"] = env.get(spec.api_key_env)
    if spec.max_tokens is not None:
        changes["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(spec.max_tokens)
    return changes


def read(value: Json, answer: Answer) -> None:
    """Take one line."""
    line = as_object(value)
    if isinstance(session := line.get("session_id"), str):
        answer.session = session
    match line.get("type"):
        case "assistant":
            _read_message(as_object(line.get("message")), answer)
        case "result":
            _read_result(line, answer)


def _read_message(message: Mapping[str, Json], answer: Answer) -> None:
    answer.turns[str(message.get("id"))] = msgspec.structs.replace(
        _tokens(as_object(message.get("usage"))), requests=1, model=message.get("model")
    )
    content = message.get("content")
    for part in content if isinstance(content, list) else []:
        match as_object(part):
            case {"type": "text", "text": str(text)}:
                answer.said.append(text)
            case {"type": "tool_use", "name": str(name), "input": tool_input}:
                answer.said.append(f"[{name}] {json.dumps(tool_input)[:300]}")


def _read_result(line: Mapping[str, Json], answer: Answer) -> None:
    answer.complete = "result" in line or bool(line.get("is_error"))
    answer.result = line.get("result")
    answer.usage = _usage(line)
    denials = line.get("permission_denials")
    for denial in denials if isinstance(denials, list) else []:
        answer.denials.append(str(as_object(denial).get("tool_name", denial)))
    subtype = str(line.get("subtype", ""))
    if line.get("is_error") or subtype.startswith("error"):
        answer.fail(_complaint(line, subtype), as_status(line.get("api_error_status")))


def _complaint(line: Mapping[str, Json], subtype: str) -> str:
    """Return the words of the failure, and the structured reasons that are not in them."""
    errors = line.get("errors")
    words = [str(each) for each in errors] if isinstance(errors, list) else []
    if result := line.get("result"):
        words = [str(result).replace(_LOG_IN, _HOW_TO_LOG_IN)]
    if subtype.startswith("error"):
        words.append(f'"subtype": "{subtype}"')
    reason = line.get("terminal_reason")
    if reason not in (None, "", "completed"):
        words.append(f'"terminal_reason": "{reason}"')
    return "\n".join(words)


def _usage(line: Mapping[str, Json]) -> Usage:
    """Return what was used. The counts by model hold those of subagents too. A model that the CLI
    does not know gets the price of one that it knows, which is no price.
    """
    usage, models = _tokens(as_object(line.get("usage"))), as_object(line.get("modelUsage"))
    by_model = [_tokens_by_model(as_object(each)) for each in models.values()]
    whole = functools.reduce(Usage.plus, by_model, Usage())
    cost = line.get("total_cost_usd")
    is_known = all("claude" in name for name in models)
    return msgspec.structs.replace(
        whole if whole.tokens > usage.tokens else usage,
        requests=as_int(line.get("num_turns")),
        usd=as_usd(cost) if is_known else None,
        model=next((name.partition("[")[0] for name in models), None),
        usd_unknown=False,
    )


def _tokens(usage: Mapping[str, Json]) -> Usage:
    read_in = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return Usage(
        input_tokens=sum(as_int(usage.get(name)) for name in read_in),
        output_tokens=as_int(usage.get("output_tokens")),
        cached_tokens=as_int(usage.get("cache_read_input_tokens")),
    )


def _tokens_by_model(usage: Mapping[str, Json]) -> Usage:
    read_in = ("inputTokens", "cacheCreationInputTokens", "cacheReadInputTokens")
    return Usage(
        input_tokens=sum(as_int(usage.get(name)) for name in read_in),
        output_tokens=as_int(usage.get("outputTokens")),
        cached_tokens=as_int(usage.get("cacheReadInputTokens")),
    )


DIALECT = Dialect(
    name="claude",
    launch=launch,
    read=read,
    install="npm install -g @anthropic-ai/claude-code",
    tested="2.1",
    gone=re.compile(r"No conversation found with session ID|requires a valid session ID"),
)
