"""`resume --plan`: one row a step: reused, run or skipped, why, and what the reuse saves."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from agentrun.report import words
from agentrun.report.screen import Screen, Style
from agentrun.report.table import Cell, table

_STYLES: dict[str, Style] = {"reuse": "green", "run": "cyan", "skip": "dim"}


class PlanRow(Protocol):
    """What a resume does with one step."""

    @property
    def step(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def usd(self) -> float | None: ...
    @property
    def tokens(self) -> int: ...
    @property
    def seconds(self) -> float: ...


def plan_lines(rows: Sequence[PlanRow], screen: Screen) -> Iterator[str]:
    """Yield the table and its sum."""
    cells = (
        [_action(row), Cell(row.step, "bold"), Cell(_saved(row)), Cell(row.why)] for row in rows
    )
    yield from table(screen, ("action", "step", "saves", "because"), cells)
    reused = [row for row in rows if row.action == "reuse"]
    yield ""
    yield f"{len(reused)} of {words.plural(len(rows), 'step')} reused{_total(reused)}"


def _action(row: PlanRow) -> Cell:
    return Cell(row.action, _STYLES.get(row.action, ""))


def _saved(row: PlanRow) -> str:
    return worth(row.seconds, row.tokens, row.usd) if row.action == "reuse" else ""


def _total(rows: Sequence[PlanRow]) -> str:
    prices = [row.usd for row in rows if row.usd is not None]
    total = worth(
        sum(row.seconds for row in rows),
        sum(row.tokens for row in rows),
        sum(prices) if prices else None,
    )
    return f", which saves {total}" if rows else ""


def worth(seconds: float, tokens: int, usd: float | None) -> str:
    """Return `12 s, 1.2k tokens, $0.02`."""
    parts = [words.duration(seconds)]
    if tokens:
        parts.append(f"{words.short_number(tokens)} tokens")
    if usd is not None:
        parts.append(words.usd(usd))
    return ", ".join(parts)
