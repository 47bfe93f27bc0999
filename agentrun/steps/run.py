"""The step kind `run`: a shell command.

Owns how a command becomes a process and what its end means. Refuses to know how values were put
into the command (they arrive rendered) and how processes are started and ended (process.py).

A command of more than `SCRIPT_LIMIT_BYTES` does not fit into an argument (the system's limit is
128 KiB): the shell reads it from a file without a name instead, which no secret in it outlives.
"""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from agentrun.core.failure import Evidence
from agentrun.core.model import Json
from agentrun.core.outcome import Success
from agentrun.steps.kind import AttemptLog, StepContext, StepKind

if TYPE_CHECKING:  # importing a kind must stay cheap: `validate` runs nothing
    from agentrun.steps.process import Exit

SCRIPT_LIMIT_BYTES = 100 * 1024
COMMAND_CHARS = 2000

_SHELLS = {
    "bash": ("bash", "--noprofile", "--norc", "-euo", "pipefail"),
    "sh": ("sh", "-eu"),
    "zsh": ("zsh", "-f", "-euo", "pipefail"),
}
# Words of the shell itself, interpreters, and programs that every script uses: none of them is what
# a step depends on, so no breaker may hang on them.
# fmt: off
_NOT_A_PROGRAM = frozenset((
    "!", "(", ".", ":", "Rscript", "[", "[[", "alias", "awk", "bash", "break", "bun", "case",
    "cat", "cd", "command", "continue", "coproc", "cp", "cut", "date", "declare", "deno",
    "echo", "env", "eval", "exec", "exit", "export", "false", "find", "for", "function",
    "getopts", "grep", "hash", "head", "help", "if", "java", "let", "local", "ls", "lua",
    "make", "mapfile", "mkdir", "mktemp", "mv", "nice", "node", "nohup", "npx", "perl", "php",
    "pipx", "printf", "pwd", "pypy", "python", "python3", "read", "readonly", "return", "rm",
    "ruby", "sed", "select", "set", "sh", "shift", "shopt", "sleep", "sort", "source", "sudo",
    "tail", "tee", "test", "time", "timeout", "touch", "tr", "trap", "true", "type", "typeset",
    "ulimit", "umask", "unset", "until", "uv", "uvx", "wait", "wc", "while", "xargs", "zsh", "{",
))
# fmt: on


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What stands under `run`."""

    command: Annotated[str, "the command or script; its stdout is the output"]
    shell: Annotated[
        Literal["bash", "sh", "zsh"], "what runs it; bash stops at the first error, pipes included"
    ] = "bash"


def component(spec: Mapping[str, Json]) -> str | None:
    """Return the program that a one-line command starts; None for a script or a shell word."""
    command = str(spec.get("command", "")).strip()
    if "\n" in command or "${{" in command.split(" ", 1)[0]:
        return None
    import shlex

    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return None
    words = [word for word in words if not re.match(r"[A-Za-z_]\w*=", word)]
    name = words[0].rpartition("/")[2] if words else ""
    is_name = re.fullmatch(r"[\w.+-]+", name) and name not in _NOT_A_PROGRAM
    return name if is_name else None


async def _execute(ctx: StepContext) -> Success | Evidence:
    from agentrun.steps.process import NotStarted, run_process
    from agentrun.steps.spawn import program

    command = str(ctx.spec["command"])
    name, *options = _SHELLS[str(ctx.spec.get("shell", "bash"))]
    shell = (program(name, ctx.env.get("PATH")), *options)
    script = _encoded(command)
    with contextlib.ExitStack() as files:
        argv: tuple[str | bytes, ...] = (*shell, "-c", script)
        fds: tuple[int, ...] = ()
        if len(script) > SCRIPT_LIMIT_BYTES:
            from agentrun.steps.nameless import nameless_file

            fd = files.enter_context(nameless_file(script))
            argv, fds = (*shell, f"/dev/fd/{fd}"), (fd,)
        try:
            ended = await run_process(
                argv,
                env=ctx.env,
                cwd=ctx.cwd,
                log=ctx.log,
                note=ctx.note,
                stdin=stdin_of(ctx.stdin),
                pass_fds=fds,
            )
        except NotStarted as error:
            return error.evidence
    return _judge(ended, command, ctx.log)


def _judge(ended: "Exit", command: str, log: AttemptLog) -> Success | Evidence:
    if ended.exit_code == 0 and not ended.flooded:
        return Success(output=_text_of(ended.stdout, log), exit_code=0)
    if ended.flooded:
        text = f"it printed more than {len(ended.stdout) >> 20} MiB to stdout and was ended;"
        return Evidence(
            channel="subprocess",
            command=command[:COMMAND_CHARS],
            exception="BadOutput",
            text=f"{text} write large results to a file and print its name",
        )
    lost = "the exit status was lost: something in this process waits for all children\n"
    return Evidence(
        channel="subprocess",
        command=command[:COMMAND_CHARS],
        exit_code=ended.exit_code,
        signal=ended.signal,
        text=log.excerpt() + (lost if ended.exit_code is None else ""),
    )


def _text_of(stdout: bytes, log: AttemptLog) -> str:
    try:
        return stdout.decode()
    except UnicodeDecodeError as error:
        log.write(
            f"[agentrun] stdout is not UTF-8 (from byte {error.start:,} on): what can't be read is"
            " \N{REPLACEMENT CHARACTER} in the output; this log holds it as it was\n".encode()
        )
        return stdout.decode("utf-8", "replace")


def stdin_of(value: Json) -> bytes | None:
    """Return what a process reads: a string as it is, anything else as JSON, nothing for None."""
    if value is None:
        return None
    import json

    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) + "\n"
    return _encoded(text)


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")  # undecodable bytes as they were
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")  # half of a pair, from JSON


KIND = StepKind(
    name="run",
    spec=RunSpec,
    execute=_execute,
    scalar="command",
    beside=frozenset({"shell"}),
    refuses=frozenset({"with"}),
    program_text=frozenset({"command"}),
    component=component,
)
