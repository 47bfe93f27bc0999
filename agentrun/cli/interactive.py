"""The interactive view: when there is one, and what follows from it.

Owns the question whether somebody sits at a terminal that can show it. Textual (the extra `[tui]`,
0.3 s to import) is loaded only to open the view.
"""

import os
import sys
import time
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from agentrun.cli.settings import Settings
from agentrun.report import screen

if TYPE_CHECKING:
    from agentrun.recovery.debugger.case import Case
    from agentrun.store.view import TaskView

LOG_BYTES = 65536


def possible(settings: Settings) -> bool:
    """Return whether a person sits at a terminal that can show a view."""
    if settings.quiet or os.environ.get("TERM", "dumb") in {"dumb", "unknown"}:
        return False
    seen = screen.stdout().terminal and screen.stderr().terminal  # Textual draws on stderr
    return seen and sys.stdin is not None and sys.stdin.isatty()


def installed() -> bool:
    """Return whether the extra is there."""
    from importlib.util import find_spec

    return find_spec("textual") is not None


def tell_how(settings: Settings) -> None:
    """Say how to get the view, in one line."""
    err = screen.stderr(color=settings.color)
    how = "step through it in a view: pip install 'agentrun-cli[tui]' (--plain keeps this text)"
    err.line(err.paint("dim", how))


def debug(view: "TaskView", settings: Settings, at: int | None) -> int:
    """Open the view, at event `at` if not at the failure; apply the fix that is chosen in it."""
    from agentrun import diagnose, lean
    from agentrun.cli.debug import apply_fix
    from agentrun.cli.task_view import sources_of
    from agentrun.report.incident import incident_steps
    from agentrun.store.manager import CheckpointManager
    from agentrun.tui.app import explore
    from agentrun.tui.pages import CaseFile

    state = view.state

    @cache
    def cases() -> "Sequence[Case]":
        manager, keys = CheckpointManager(settings.root), incident_steps(state)
        return diagnose.cases(manager, view, state, keys, time.time())

    sources = sources_of(view, view.records, LOG_BYTES)
    file = CaseFile(state, sources, cases, lambda: _held(view), settings.folder_option())
    lean.loaded()  # a view may stay open for long
    chosen, code = explore(file, at, color=settings.color)
    if chosen is None:
        return code
    return apply_fix(str(chosen), view.task_id, cases(), settings)


def _held(view: "TaskView") -> str:
    """Return who works on the task now, as a refusal says it; "" when nobody does."""
    if view.held is None or not view.running:
        return ""
    holder, since = view.held.holder, view.held.since
    who = f"process {holder.pid} on {holder.host} since {since}"
    return f"Task {view.task_id} is held by {who}."
