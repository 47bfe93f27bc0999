"""How agentrun says that it refused, or had to stop: message, hint, exit code."""

from agentrun.cli import settings
from agentrun.errors import AgentrunError
from agentrun.report import screen, words


def tell(error: AgentrunError) -> int:
    """Print an error for people, and as an object where one is waited for; return its code."""
    now = settings.current()
    out = screen.stderr(color=now.color)
    many = "\n" in error.message.strip()  # a list of problems, each with its own label
    label = "" if many else out.paint("red", "error:") + " "
    out.line(label + words.safe(error.message).rstrip())
    for line in words.safe(error.hint).splitlines():
        out.line(f"  {out.paint('dim', 'hint:')} {line}")
    if now.json:
        from agentrun.report.result import refusal_object, write_json

        shown = refusal_object(error.message, error.hint, error.exit_code)
        write_json(screen.stdout(color=now.color), shown)
    return error.exit_code
