"""Asks the person at the terminal what a step waits for. Never where nobody could answer.

Owns the question. The answer goes into the task the way `resume --answer` puts it there: nothing is
held open meanwhile, and whoever turns the question down finds the task paused as in a pipeline.
"""

import sys
from typing import TYPE_CHECKING

from agentrun.cli.settings import Settings
from agentrun.report import screen, words

if TYPE_CHECKING:
    from agentrun.core.events import ApprovalAsked
    from agentrun.requests import Finished

MAX_TRIES = 3


def answers(finished: "Finished", settings: Settings) -> dict[str, str]:
    """Return the answers that the person gives to the approvals that wait; empty is `later`."""
    if finished.exit_code != 3 or not _somebody_is_there(settings):
        return {}
    found: dict[str, str] = {}
    for key, step in finished.state.steps.items():
        if step.waiting != "approval" or step.approval is None:
            continue
        answer = _ask(key, step.approval, settings)
        if answer is None:
            break
        found[key] = answer
    return found


def _somebody_is_there(settings: Settings) -> bool:
    if settings.json or settings.quiet or sys.stdin is None or not sys.stdin.isatty():
        return False
    return screen.stderr().terminal


def _ask(key: str, asked: "ApprovalAsked", settings: Settings) -> str | None:
    err = screen.stderr(color=settings.color)
    err.line("")
    err.line(f"{err.paint('bold', key)} asks: {words.safe(asked.message)}")
    for number, option in enumerate(asked.options, 1):
        err.line(f"  {number}  {words.safe(option)}")
    for _ in range(MAX_TRIES):
        err.line(err.paint("dim", "Number or word; Enter leaves it for later:"))
        try:
            typed = sys.stdin.readline().strip()
        except KeyboardInterrupt:
            return None
        if not typed:
            return None
        if chosen := meant(typed, asked.options):
            return chosen
        err.line(f"{words.one_line(typed)} is none of them")
    return None


def meant(typed: str, options: tuple[str, ...]) -> str | None:
    """Return the option that was typed: in full, as its number, or as a prefix of one alone."""
    if typed in options:
        return typed
    if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(options):
        return options[int(typed) - 1]
    near = [option for option in options if option.casefold().startswith(typed.casefold())]
    return near[0] if len(near) == 1 else None
