"""Gemini CLI: `gemini -o stream-json`.

Its traps: retries are a setting, not a flag, so a file with defaults (below the user's own
settings) switches them off; it ignores that file when a folder above is writable by others. With a
key in the environment it still wants to be told that a key is how it signs in. A model is chosen
by a second model unless one is named. The status of a refusal often stands on stderr alone.
"""

import json
import re
from collections.abc import Mapping

from agentrun.core.model import Json
from agentrun.core.outcome import Usage
from agentrun.steps.agents.contract import Answer, Ask, Dialect, Launch, as_int, as_object

_PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "read": ("--approval-mode", "plan"),
    "edit": ("--approval-mode", "auto_edit"),
    "full": ("--approval-mode", "yolo"),
}

_ADVICE = ", or switch to another /auth method"
"""Stands below every 429, and would make it look like a refused key."""
_NO_USE = re.compile(
    r"^(?:Update your environment and try again|Security Warning: Skipping system defaults).*\n?",
    re.MULTILINE,
)
_CUT_OFF = "Incomplete JSON segment"


def launch(ask: Ask) -> Launch:
    """Return the command; the prompt goes in by stdin."""
    spec, session = ask.spec, ask.resume or ask.new_session
    command = ["gemini", "-o", "stream-json", "--skip-trust"]
    command += ["--resume" if ask.resume else "--session-id", session]
    command += ["-m", ask.model] if ask.model else []
    command += _PERMISSIONS[spec.permissions]
    if spec.allowed_tools:
        command += ["--allowed-tools", ",".join(spec.allowed_tools)]
    env = _environment(ask)
    return Launch((*command, *spec.args), env, ask.prompt.encode(), session, model=ask.model)


def _environment(ask: Ask) -> dict[str, str | None]:
    changes: dict[str, str | None] = {}
    key = ask.env.get(ask.spec.api_key_env or "GEMINI_API_KEY")
    defaults: dict[str, Json] = {"general": {"maxAttempts": 1, "retryFetchErrors": False}}
    if key:
        changes["GEMINI_API_KEY"] = key
        defaults["security"] = {"auth": {"selectedType": "gemini-api-key"}}
    if ask.spec.base_url:
        changes["GOOGLE_GEMINI_BASE_URL"] = ask.spec.base_url
    path = ask.scratch / "gemini.defaults.json"
    path.write_text(json.dumps(defaults), "utf-8")
    changes["GEMINI_CLI_SYSTEM_DEFAULTS_PATH"] = str(path)
    return changes


def read(value: Json, answer: Answer) -> None:
    """Take one line."""
    line = as_object(value)
    match line:
        case {"type": "init", "session_id": str(session)}:
            answer.session = session
        case {"type": "message", "role": "assistant", "content": str(text)}:
            answer.result = f"{answer.result or ''}{text}"
        case {"type": "tool_use", "tool_name": str(name)}:
            answer.said += [str(answer.result or ""), f"[{name}] {line.get('parameters')}"[:300]]
            answer.result = None  # what was said before a tool call is not the final answer
        case {"type": "tool_result", "error": {"type": "policy_violation" | "tool_denied"}}:
            answer.denials.append(str(line.get("tool_id", "")).partition("__")[0])
        case {"type": "error", "message": str(message)}:
            answer.said.append(f"[error] {message}")
        case {"type": "result"}:
            _read_result(line, answer)


def _read_result(line: Mapping[str, Json], answer: Answer) -> None:
    answer.complete = True
    stats = as_object(line.get("stats"))
    models = as_object(stats.get("models"))
    answer.usage = Usage(
        as_int(stats.get("input_tokens")),
        as_int(stats.get("output_tokens")),
        requests=1 + as_int(stats.get("tool_calls")),
        model=next(iter(models), None),
        cached_tokens=as_int(stats.get("cached")),
    )
    if line.get("status") != "success":
        message = str(as_object(line.get("error")).get("message", ""))
        cut = "stream disconnected before completion: " if _CUT_OFF in message else ""
        answer.fail(cut + message.replace(_ADVICE, ""))


DIALECT = Dialect(
    name="gemini",
    launch=launch,
    read=read,
    install="npm install -g @google/gemini-cli",
    gone=re.compile(r"Error resuming session|Invalid session identifier"),
    status=re.compile(r'"code":\s*(\d{3})\b|\bstatus: (\d{3})\b'),
    system=False,
    forks=False,
    advice=_NO_USE,
    tested="0.61",
)
