"""OpenCode: `opencode run --format json`.

Its traps: nothing but `session` errors reach its JSON. A refusal that may pass is retried in
silence, five times, with no switch to turn that off; but its own log, asked for on standard error,
tells each refused request, and then it is ended. A session without a title costs a model call for
one. Settings come by an environment variable that is merged over the user's own. An answer is text
parts, the last step's being the final ones.
"""

import json
import re
from collections.abc import Mapping

from agentrun.core.model import Json
from agentrun.core.outcome import Usage
from agentrun.steps.agent import McpServer
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

_PERMISSIONS: Mapping[str, Json] = {
    "read": {"edit": "deny", "bash": "deny", "webfetch": "deny"},
    "edit": {"edit": "allow", "bash": "deny"},
    "full": {"edit": "allow", "bash": "allow", "webfetch": "allow", "external_directory": "allow"},
}


def launch(ask: Ask) -> Launch:
    """Return the command; the prompt goes in by stdin."""
    command = ["opencode", "run", "--format", "json", "--print-logs", "--log-level", "ERROR"]
    if ask.resume is None:
        command += ["--title", "agentrun"]
    else:
        command += ["--session", ask.resume, *(["--fork"] if ask.fork else [])]
    command += ["--model", ask.model] if ask.model else []
    named = None if ask.fork else ask.resume
    env = {"OPENCODE_CONFIG_CONTENT": _settings(ask), "OPENCODE_DISABLE_AUTOUPDATE": "1"}
    return Launch(
        (*command, *ask.spec.args), env, ask.prompt.encode(), named, model=_bare(ask.model)
    )


def _bare(model: str | None) -> str | None:
    return model.partition("/")[2] or model if model else None


def _settings(ask: Ask) -> str:
    """Return the settings of this run on top of those the caller's environment brings."""
    spec = ask.spec
    try:
        settings: dict[str, Json] = json.loads(ask.env.get("OPENCODE_CONFIG_CONTENT", "{}"))
    except ValueError:
        settings = {}
    if spec.permissions != "default":
        settings["permission"] = _PERMISSIONS[spec.permissions]
    if spec.mcp:
        settings["mcp"] = {name: _mcp_server(server) for name, server in spec.mcp.items()}
    if spec.base_url or spec.api_key_env:
        _add_provider(settings, ask)
    return json.dumps(settings)


def _add_provider(settings: dict[str, Json], ask: Ask) -> None:
    name = (ask.model or "openai").partition("/")[0]
    provider = settings.setdefault("provider", {}).setdefault(name, {})
    options = provider.setdefault("options", {})
    if ask.spec.base_url:
        options["baseURL"] = ask.spec.base_url
    if ask.spec.api_key_env:
        options["apiKey"] = f"{{env:{ask.spec.api_key_env}}}"


def _mcp_server(server: McpServer) -> dict[str, Json]:
    if server.url is not None:
        return {"type": "remote", "url": server.url, "headers": dict(server.headers)}
    command = [server.command, *server.args]
    return {"type": "local", "command": command, "environment": dict(server.env)}


def read(value: Json, answer: Answer) -> None:
    """Take one line."""
    line = as_object(value)
    if isinstance(session := line.get("sessionID"), str):
        answer.session = session
    part = as_object(line.get("part"))
    match line.get("type"):
        case "step_start":
            answer.result = None
        case "text":
            text = str(part.get("text", ""))
            answer.result = f"{answer.result}\n{text}" if answer.result else text
            answer.said.append(text)
        case "tool_use":
            _read_tool(part, answer)
        case "step_finish":
            answer.complete = part.get("reason") not in {"tool-calls", "error"}
            answer.usage = (answer.usage or Usage()).plus(_usage(part))
        case "error":
            _read_error(as_object(line.get("error")), answer)


def _read_tool(part: Mapping[str, Json], answer: Answer) -> None:
    state = as_object(part.get("state"))
    answer.said.append(f"[{part.get('tool')}] {json.dumps(state.get('input'))[:300]}")
    error = str(state.get("error", ""))
    if state.get("status") == "error" and re.search(r"permission|rejected|denied", error):
        answer.denials.append(str(part.get("tool")))


def _usage(part: Mapping[str, Json]) -> Usage:
    tokens = as_object(part.get("tokens"))
    cache = as_object(tokens.get("cache"))
    cost = part.get("cost")
    return Usage(
        as_int(tokens.get("input")) + as_int(cache.get("read")) + as_int(cache.get("write")),
        as_int(tokens.get("output")) + as_int(tokens.get("reasoning")),
        requests=1,
        usd=as_usd(cost) or None,
        cached_tokens=as_int(cache.get("read")),
    )


def _read_error(error: Mapping[str, Json], answer: Answer) -> None:
    data = as_object(error.get("data"))
    words = [str(data.get("message") or error.get("name") or "")]
    if answer.error and _SEE_LOG in words[0]:
        words = []
    if isinstance(body := data.get("responseBody"), str):
        words.insert(0, body)
    answer.fail("\n".join(words), as_status(data.get("statusCode")))
    headers = as_object(data.get("responseHeaders"))
    answer.headers = {str(key): str(value) for key, value in headers.items()}


_LOGGED = re.compile(r"^timestamp=\S+ level=.*\n?", re.MULTILINE)
_REFUSED = re.compile(r'message="stream error"(?!.* small=true).* error\.error="((?:[^"\\]|\\.)*)"')


_BROKE = re.compile(r'message=failed ref=\S+ error="((?:[^"\\]|\\.)*)"')
_SEE_LOG = "Check server logs for details"


def overhear(text: str, answer: Answer) -> None:
    """Take what it logs: a refused request is the end, or will be retried; and what broke within,
    of which its last line only says that it is logged.
    """
    if found := _BROKE.search(text):
        answer.error = found[1]
    if found := _REFUSED.search(text):
        answer.waits = found[1]


DIALECT = Dialect(
    name="opencode",
    launch=launch,
    read=read,
    install="npm install -g opencode-ai",
    gone=re.compile(r"Session not found", re.IGNORECASE),
    system=False,
    overhear=overhear,
    advice=_LOGGED,
    tested="1.18",
)
