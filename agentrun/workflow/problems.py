"""What is wrong with a workflow file, as data and as text for people.

Owns the shape of a finding and how it is drawn. Refuses to know how it was found.

    triage.yaml:12:5: error: unknown key `depends_on`
      12 |     depends_on: [issues]
         |     ^
      hint: did you mean `needs`?
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from agentrun.errors import UsageError

MAX_LINE_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `line` and `column` count from 1; 0 means that it has no place in the file."""

    file: str
    line: int
    column: int
    source_line: str
    message: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"


class InvalidWorkflow(UsageError):
    """The file can't be run. `problems` holds everything that is wrong with it, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        errors = sum(1 for each in self.problems if each.severity == "error")
        noun = "problem" if errors == 1 else "problems"
        super().__init__(
            f"{render_problems(self.problems)}\n{errors} {noun}: nothing was run",
            "correct the file, then check it with `agentrun validate FILE`",
            ["validate", *dict.fromkeys(each.file for each in self.problems[:1])],
        )


def render_problems(problems: Iterable[Problem]) -> str:
    """Return the problems as plain text: place, message, the line itself, a caret, a hint."""
    return "\n".join(_render(each) for each in problems)


def _render(problem: Problem) -> str:
    if not problem.line:
        head = f"{problem.file}: {problem.severity}: {problem.message}"
        return f"{head}\n  hint: {problem.hint}" if problem.hint else head
    place = f"{problem.file}:{problem.line}:{problem.column}"
    lines = [f"{place}: {problem.severity}: {problem.message}"]
    if problem.source_line.strip():
        lines += _excerpt(problem)
    if problem.hint:
        lines.append(f"  hint: {problem.hint}")
    return "\n".join(lines)


def _excerpt(problem: Problem) -> list[str]:
    """Draw the line with a caret under the column; a very long line is cut around it."""
    number = str(problem.line)
    text, at = problem.source_line, problem.column - 1
    if len(text) > MAX_LINE_WIDTH:
        start = max(0, at - MAX_LINE_WIDTH // 2)
        text, at = text[start : start + MAX_LINE_WIDTH], at - start
    shown = "".join(c if c.isprintable() or c == "\t" else "�" for c in text)
    pad = "".join("\t" if c == "\t" else " " for c in shown[:at])
    return [f"  {number} | {shown}", f"  {' ' * len(number)} | {pad}^"]
