"""How agentrun says that it refused, or had to stop: message, hint, the next command, exit code."""

import re
from collections.abc import Sequence

from agentrun.cli import settings
from agentrun.cli.commands import COMMANDS
from agentrun.errors import AgentrunError, Locked, NotWritable, StoreError
from agentrun.report import screen, words


def tell(error: AgentrunError, args: Sequence[str] = ()) -> int:
    """Print an error for people, and as an object where one is waited for; return its code."""
    now = settings.current()
    error.hint = _in_this_folder(error.hint, words.typed(now.command()))
    out = screen.stderr(color=now.color)
    many = "\n" in error.message.strip()  # a list of problems, each with its own label
    label = "" if many else out.paint("red", "error:") + " "
    out.line(label + words.safe(error.message).rstrip())
    for line in words.safe(error.hint).splitlines():
        out.line(f"  {out.paint('dim', 'hint:')} {line}")
    command = words.typed(now.command(*_next_words(error, args)))
    out.line(f"  {out.paint('dim', 'next:')} {command}")
    if now.json:
        from agentrun.report.result import refusal_object, write_json

        write_json(screen.stdout(color=now.color), refusal_object(error, command))
    return error.exit_code


def _in_this_folder(hint: str, agentrun: str) -> str:
    """Return a hint whose commands mean the same checkpoint folder as this one did."""
    return re.sub(rf"\bagentrun (?=(?:{'|'.join(COMMANDS)})\b)", lambda _: f"{agentrun} ", hint)


def _next_words(error: AgentrunError, args: Sequence[str]) -> Sequence[str]:
    """Return what to type next, without `agentrun`: what the error knows best, else the help."""
    if error.next_words:
        return error.next_words
    if isinstance(error, StoreError) and error.task_id:
        match error:
            case Locked():
                return ["inspect", error.task_id]
            case NotWritable():
                return ["resume", error.task_id]
            case _:
                return ["inspect", error.task_id, "--verify"]
    if error.task_id:
        return ["inspect", error.task_id]
    if isinstance(error, StoreError):
        return ["doctor"]
    command = next((word for word in args if word in COMMANDS), None)
    return [command, "--help"] if command else ["--help"]
