"""The step kind `agent`: a coding-agent CLI, or a model API.

Owns what may be written under `agent` and which way is taken: `cli` (agents/cli.py) or an API
model (agents/model_api.py). Refuses to know any CLI's flags and any provider's protocol: those
are one file each in `agents/`, imported when used.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from agentrun.core.failure import Evidence
from agentrun.core.model import Json
from agentrun.core.outcome import Success
from agentrun.steps.kind import StepContext, StepKind

CliName = Literal["claude", "codex", "gemini", "opencode"]
Permissions = Literal["default", "read", "edit", "full"]

_ONLY_MODEL = ("tools", "temperature")
_ONLY_CLI = ("args", "permissions", "allowed_tools", "disallowed_tools", "deny_is_failure")
_MISSING_IN: Mapping[str, tuple[str, ...]] = {
    "codex": ("max_turns", "max_tokens", "allowed_tools", "disallowed_tools"),
    "gemini": ("max_turns", "max_tokens", "disallowed_tools", "mcp"),
    "opencode": ("max_turns", "max_tokens", "allowed_tools", "disallowed_tools"),
}


@dataclass(frozen=True, slots=True)
class UsagePaths:
    """Where a generic CLI tells what it used."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    input_tokens: Annotated[str | None, "dotted path to the number of input tokens"] = None
    output_tokens: Annotated[str | None, "dotted path to the number of output tokens"] = None


@dataclass(frozen=True, slots=True)
class GenericCli:
    """A CLI that agentrun does not know by name, described in the workflow.

    Paths are dotted (`usage.total`, `choices.0.text`); in `jsonl` each is looked up in every line
    and the last line that has it counts. In `command` and `resume` the words `{prompt}`,
    `{session}`, `{model}` and `{system}` are replaced, each within one argument: no shell sees
    them.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    command: Annotated[
        str | list[str],
        "the program and its arguments; a string is split like a shell would, nothing is expanded",
    ]
    name: Annotated[str | None, "how limits, breakers and messages call it"] = None
    prompt: Annotated[
        Literal["arg", "stdin"],
        "how the prompt goes in: in place of `{prompt}` (or as the last argument), or by stdin",
    ] = "arg"
    resume: Annotated[
        str | list[str] | None,
        "the command that continues the session `{session}`; without it every attempt is fresh",
    ] = None
    format: Annotated[
        Literal["json", "jsonl", "text"], "what it prints: one JSON value, JSON lines, or text"
    ] = "json"
    result: Annotated[str | None, "path to the final answer; not with `text`"] = None
    session: Annotated[str | None, "path to the session id"] = None
    usage: Annotated[UsagePaths | None, "paths to the tokens used"] = None
    cost: Annotated[str | None, "path to the cost in US dollars"] = None
    error: Annotated[str | None, "path to the error message; not empty means it failed"] = None
    is_error: Annotated[str | None, "path to a flag; true means that it failed"] = None
    status: Annotated[str | None, "path to the HTTP status of the provider's refusal"] = None
    denials: Annotated[str | None, "path to the list of tool calls that were not permitted"] = None
    env: Annotated[Mapping[str, str], "environment for it, such as the switch for its retries"] = (
        field(default_factory=dict)
    )

    def __post_init__(self) -> None:
        for command in (self.command, self.resume):
            if command is not None and not (
                shlex.split(command) if isinstance(command, str) else command
            ):
                raise ValueError("the command of a `cli` is empty")
        if self.format != "text" and self.result is None:
            raise ValueError(f"`format: {self.format}` needs `result`: where the answer stands")


@dataclass(frozen=True, slots=True)
class McpServer:
    """One MCP server that the agent may use: a program spoken to by stdio, or a URL."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    command: Annotated[str | None, "the program of a stdio server"] = None
    args: Annotated[list[str], "its arguments"] = field(default_factory=list)
    env: Annotated[Mapping[str, str], "environment for it"] = field(default_factory=dict)
    url: Annotated[str | None, "the address of a streamable-HTTP server"] = None
    headers: Annotated[Mapping[str, str], "headers for it"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.command is None) == (self.url is None):
            raise ValueError("an MCP server needs exactly one of `command` and `url`")
        for name in self.env:  # they come to stand in a shell's text (codex.py)
            if not (name.isascii() and name.isidentifier()):
                raise ValueError(f"`{name[:60]}` is not the name of an environment variable")


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """What stands under `agent`: `cli` or `model`, and `prompt` or `prompt_file`."""

    cli: Annotated[
        CliName | GenericCli | None,
        "a coding-agent CLI by name, or the description of any other one",
    ] = None
    model: Annotated[
        str | list[str] | None,
        "`provider:name` of an API model; beside `cli`, the name that CLI knows the model by."
        " A list: the next one is taken when one can't do it",
    ] = None
    prompt: Annotated[str | None, "what the agent is asked to do"] = None
    prompt_file: Annotated[
        str | None, "a file with the prompt, a full Jinja template, next to the workflow file"
    ] = None
    system: Annotated[str | None, "instructions that stand above the prompt"] = None
    session: Annotated[
        str,
        "`continue`: a retry, a resume and the next round go on in the same conversation;"
        " `fresh`: each starts anew; the id of an earlier step: a branch of that conversation",
    ] = "continue"
    workspace: Annotated[
        Literal["here", "worktree"],
        "`here`: the agent works in `cwd`; `worktree`: in a git worktree of its own, and what it"
        " changed is kept as the step's `.patch`",
    ] = "here"
    on_retry: Annotated[
        Literal["keep", "reset"],
        "what a retry finds in the worktree: the changes of the failed attempt, or none",
    ] = "keep"
    files: Annotated[list[str], "text files to attach to the prompt, or glob patterns of them"] = (
        field(default_factory=list)
    )
    tools: Annotated[
        list[str],
        "Python functions the model may call: `module:function` or `file.py:function`",
    ] = field(default_factory=list)
    mcp: Annotated[Mapping[str, McpServer], "MCP servers the agent may use, by name"] = field(
        default_factory=dict
    )
    permissions: Annotated[
        Permissions,
        "what the CLI may do without asking: `default` (its own settings), `read`, `edit` (files"
        " in its folder), `full` (everything)",
    ] = "default"
    allowed_tools: Annotated[list[str], "tools the CLI may use without asking, in its words"] = (
        field(default_factory=list)
    )
    disallowed_tools: Annotated[list[str], "tools the CLI may not use, in its words"] = field(
        default_factory=list
    )
    deny_is_failure: Annotated[
        bool, "an answer after a tool call was not permitted counts as a failure"
    ] = False
    max_turns: Annotated[int | None, "most model calls of one attempt"] = None
    max_tokens: Annotated[int | None, "most tokens of one answer"] = None
    temperature: Annotated[float | None, "sampling temperature; not sent unless given"] = None
    context_tokens: Annotated[
        int | None, "the model's context size; default what is known of the model"
    ] = None
    base_url: Annotated[str | None, "where the provider's API is, such as a local server"] = None
    api_key_env: Annotated[
        str | None, "the environment variable that holds the key; default the provider's own"
    ] = None
    args: Annotated[list[str], "further arguments for the CLI, as they are"] = field(
        default_factory=list
    )

    def __post_init__(self) -> None:
        if self.cli is None and self.model is None:
            raise ValueError("an agent needs `cli` (claude, codex, ...) or `model: provider:name`")
        if (self.prompt is None) == (self.prompt_file is None):
            raise ValueError("an agent needs exactly one of `prompt` and `prompt_file`")
        if self.cli is None:
            self._refuse(_ONLY_CLI, "an API model")
            for name in [self.model] if isinstance(self.model, str) else self.model or []:
                if "${{" not in name and not all(name.partition(":")):
                    raise ValueError(f"the model `{name}` has no provider: write `provider:name`")
        else:
            self._refuse(_ONLY_MODEL, "a `cli`")
            self._refuse(_MISSING_IN.get(str(self.cli), ()), f"`cli: {self.cli}`")
        if self.on_retry == "reset" and self.workspace != "worktree":
            raise ValueError("`on_retry: reset` needs `workspace: worktree`: `cwd` is not undone")

    def _refuse(self, names: tuple[str, ...], way: str) -> None:
        for name in names:
            if getattr(self, name) not in (None, [], {}, False, "default"):
                raise ValueError(f"`{name}` means nothing for {way}")


def component(spec: Mapping[str, Json]) -> str | None:
    """Return the name of the CLI, or the provider of the model."""
    match spec.get("cli"):
        case str(name):
            return name
        case {"name": str(name)}:
            return name
        case {"command": str(command)}:
            return command.split(maxsplit=1)[0].rpartition("/")[2] if command.strip() else None
        case {"command": [str(program), *_]}:
            return program.rpartition("/")[2]
    model = spec.get("model")
    first = model[0] if isinstance(model, list) and model else model
    return str(first).partition(":")[0] if first else None


async def _execute(ctx: StepContext) -> Success | Evidence:
    if ctx.spec.get("cli") is None:
        from agentrun.steps.agents import model_api

        return await model_api.execute(ctx)
    from agentrun.steps.agents import cli

    return await cli.execute(ctx)


KIND = StepKind(
    name="agent",
    spec=AgentSpec,
    execute=_execute,
    either=frozenset({"session", "workspace", "files", "on_retry", "prompt_file"}),
    refuses=frozenset({"with"}),
    component=component,
    component_from=frozenset({"model"}),
)
