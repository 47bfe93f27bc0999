"""Codex: `codex exec --json`.

Its traps: retries are switched off per provider, and the built-in provider can't be changed, so a
stand-in with the same address and sign-in takes its place; a refused connection is waited for
without end (a feature that is switched off); the status stands only in the words of the error;
the usage it tells is the sum over the whole thread, earlier runs included.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from agentrun.core.model import Json
from agentrun.core.outcome import Usage
from agentrun.steps.agent import AgentSpec, McpServer
from agentrun.steps.agents import codex_thread, mcp_values
from agentrun.steps.agents.contract import (
    Answer,
    Ask,
    Dialect,
    Launch,
    as_int,
    as_object,
)
from agentrun.steps.agents.strict_schema import strict

STAND_IN = "agentrun"
_BUILT_IN = ("openai", "ollama", "lmstudio", "oss", "amazon-bedrock")
_NO_RETRIES = {"request_max_retries": 0, "stream_max_retries": 0}
_OVERLOADED = "currently experiencing high demand"
_PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "read": ("-c", 'sandbox_mode="read-only"'),
    "edit": ("-c", 'sandbox_mode="workspace-write"'),
    "full": ("--dangerously-bypass-approvals-and-sandbox",),
}


def launch(ask: Ask) -> Launch:
    """Return the command; the prompt goes in by stdin."""
    spec, home = ask.spec, codex_home(ask.env)
    command = ["codex", "exec", "--json", "--skip-git-repo-check"]
    command += _set("features.unbounded_connection_retries", value=False)
    command += _provider(spec, home, ask.env)
    if ask.model:
        command += ["-m", ask.model]
    if spec.system:
        command += _set("developer_instructions", value=spec.system)
    command += [*_PERMISSIONS[spec.permissions], *_mcp(spec.mcp), *_schema(ask), *spec.args]
    if ask.resume is not None:
        command += ["fork" if ask.fork else "resume", ask.resume]
    counted = ask.counted
    if counted is None and ask.resume is not None:
        counted = codex_thread.used(home, ask.resume)
    return Launch(
        command=(*command, "-"),
        env=_environment(spec, home, ask.env),
        stdin=ask.prompt.encode(),
        session=ask.resume if not ask.fork else None,
        counted=counted,
        model=ask.model or _settings(home).get("model"),
    )


def codex_home(env: Mapping[str, str]) -> Path:
    """Return the folder of Codex's settings and threads."""
    if folder := env.get("CODEX_HOME"):
        return Path(folder)
    return Path(env.get("HOME") or "~").expanduser() / ".codex"


def _set(key: str, *, value: Json) -> list[str]:
    return ["-c", f"{key}={_toml(value)}"]


def _toml(value: Json) -> str:
    """Return a value in TOML: what JSON writes, but for tables."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}={_toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def _provider(spec: AgentSpec, home: Path, env: Mapping[str, str]) -> list[str]:
    """Return the settings that make each request happen once."""
    key = spec.api_key_env or "OPENAI_API_KEY"
    if spec.base_url:
        address = {"name": spec.base_url, "base_url": spec.base_url, "env_key": key}
        return _stand_in(address)
    settings = _settings(home)
    name = str(settings.get("model_provider", "openai"))
    if name == "openai":
        base_url = settings.get("openai_base_url") or env.get("OPENAI_BASE_URL")
        same = {"name": "OpenAI", "requires_openai_auth": True, "supports_websockets": False}
        return _stand_in(same | ({"base_url": base_url} if base_url else {}))
    if name in _BUILT_IN:
        return []
    flags = [_set(f"model_providers.{name}.{k}", value=v) for k, v in _NO_RETRIES.items()]
    return [word for flag in flags for word in flag]


def _stand_in(address: Mapping[str, Json]) -> list[str]:
    provider = {"wire_api": "responses", **address, **_NO_RETRIES}
    return [
        *_set("model_provider", value=STAND_IN),
        *_set(f"model_providers.{STAND_IN}", value=provider),
    ]


def _settings(home: Path) -> Mapping[str, Json]:
    try:
        return tomllib.loads((home / "config.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return {}  # codex itself says what is wrong with its file


def _environment(spec: AgentSpec, home: Path, env: Mapping[str, str]) -> dict[str, str | None]:
    key = env.get(spec.api_key_env or "OPENAI_API_KEY")
    signed_in = (home / "auth.json").exists() or "CODEX_API_KEY" in env
    own: dict[str, str | None] = {} if signed_in or not key else {"CODEX_API_KEY": key}
    return own | mcp_values.variables(spec.mcp)


def _mcp(servers: Mapping[str, McpServer]) -> list[str]:
    flags: list[str] = []
    for place, (name, server) in enumerate(servers.items()):
        carried = mcp_values.names(place, server)
        told: dict[str, Json] = {"url": server.url, "env_http_headers": carried}
        if server.url is None:
            told = _mcp_program(server, carried)
        flags += _set(f"mcp_servers.{name}", value=told)
    return flags


def _mcp_program(server: McpServer, carried: Mapping[str, str]) -> dict[str, Json]:
    """Start a server by a shell that gives its values their names. Codex passes on variables, but
    only under the names that they have, which are Codex's own environment too.
    """
    command, args = str(server.command), list(server.args)
    if not carried:
        return {"command": command, "args": args}
    named = " ".join(f'{key}="${name}"' for key, name in carried.items())
    script = f'export {named}; unset {" ".join(carried.values())}; exec "$0" "$@"'
    shell = ["-c", script, command, *args]
    return {"command": "sh", "args": shell, "env_vars": list(carried.values())}


def _schema(ask: Ask) -> list[str]:
    """Return the flag for the answer's schema, when it is one that the API takes."""
    if ask.schema is None or not strict(ask.schema):
        return []
    path = ask.scratch / "answer.schema.json"
    path.write_text(json.dumps(ask.schema), "utf-8")
    return ["--output-schema", str(path)]


def read(value: Json, answer: Answer) -> None:
    """Take one line."""
    line = as_object(value)
    match line.get("type"):
        case "thread.started":
            answer.session = str(line.get("thread_id"))
        case "item.completed":
            _read_item(as_object(line.get("item")), answer)
        case "turn.completed":
            answer.complete, answer.usage = True, _usage(as_object(line.get("usage")))
        case "turn.failed":
            _fail(str(as_object(line.get("error")).get("message", "")), answer)
        case "error":
            _read_error(str(line.get("message", "")), answer)


def _read_item(item: Mapping[str, Json], answer: Answer) -> None:
    match item:
        case {"type": "agent_message", "text": str(text)}:
            answer.result = text
            answer.said.append(text)
        case {"type": "command_execution", "command": str(command)}:
            answer.said.append(f"[command, exit {item.get('exit_code')}] {command[:300]}")
        case {"type": "file_change"}:
            answer.said.append(f"[file change] {json.dumps(item.get('changes'))[:300]}")
    if item.get("status") == "declined":
        answer.denials.append(str(item.get("command") or item.get("type")))


def _read_error(message: str, answer: Answer) -> None:
    """Take an error that may or may not be the end: a failed turn says so in a line of its own."""
    if "waiting for network" in message:  # a version without the switch: it would wait for ever
        answer.hopeless = message


def _fail(message: str, answer: Answer) -> None:
    answer.fail(message, 500 if _OVERLOADED in message else None)


def _usage(usage: Mapping[str, Json]) -> Usage:
    return Usage(
        input_tokens=as_int(usage.get("input_tokens")),
        output_tokens=as_int(usage.get("output_tokens")),
        requests=1,
        cached_tokens=as_int(usage.get("cached_input_tokens")),
    )


DIALECT = Dialect(
    name="codex",
    launch=launch,
    read=read,
    install="npm install -g @openai/codex",
    gone=re.compile(r"no rollout found for thread|thread/(?:resume|fork) failed|session not found"),
    status=re.compile(r"(?:last status:|unexpected status) (\d{3})"),
    cumulative=True,
    tested="0.169",
    used=lambda env, thread: codex_thread.used(codex_home(env), thread),
)
