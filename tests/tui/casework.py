"""A handmade task, opened in the view."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Static

from agentrun.core.model import Json, Workflow
from agentrun.recovery.debugger.case import Case, Proposal
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import Fix
from agentrun.report.incident import Log, Sources
from agentrun.tui.app import DebugView
from agentrun.tui.event_list import EventList
from agentrun.tui.pages import CaseFile
from tests.report.story import Story, failed_story, read

FIXES = (
    Fix("set_env", {"name": "REGION", "value": "eu"}, "from the input region"),
    Fix("retry_once"),
)
DIFFS = ("+ env.REGION: eu", "the same again, once")


def a_case(step: str = "label") -> Case:
    offered = tuple(
        Proposal(n, fix, diff, "safe", "worked 2 of 2 times")
        for n, (fix, diff) in enumerate(zip(FIXES, DIFFS, strict=True), 1)
    )
    return Case(
        step, "f1", (Diagnosis("REGION is not set", "rules", 0.8, "REGION: unbound"),), offered
    )


def case_file(
    story: Story | None = None,
    cases: Sequence[Case] = (),
    *,
    logs: dict[tuple[str, int], str] | None = None,
    held: str = "",
    workflow: Workflow | None = None,
) -> CaseFile:
    story = story or failed_story()

    def log(step: str, attempt: int) -> Log | None:
        text = (logs or {}).get((step, attempt))
        return Log(f"/l/{step}/{attempt}.log", len(text.encode()), text) if text else None

    def output(state: object, key: str) -> Json:
        return read(state.step(key).output)  # type: ignore[attr-defined]

    sources = Sources(
        story.records,
        workflow or story.workflow,
        output=output,
        inputs=lambda state: read(state.inputs),
        item=lambda _state, _key: None,
        log=log,
    )
    return CaseFile(story.state, sources, lambda: cases, lambda: held)


class Screen:
    """What a person sees of the view, and types."""

    def __init__(self, app: DebugView, pilot: Pilot[int]) -> None:
        self.app, self._pilot = app, pilot

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)
        await self._pilot.pause()

    async def type_ahead(self, *keys: str) -> None:
        """Press the keys faster than any of them is dealt with."""
        for key in keys:
            self.app.post_message(Key(key, key if len(key) == 1 else None))
        for _ in range(10):
            await self._pilot.pause()

    async def resize(self, columns: int, lines: int) -> None:
        await self._pilot.resize_terminal(columns, lines)
        await self._pilot.pause()

    @property
    def seq(self) -> int:
        row = self.app.screen_stack[0].query_one(EventList).row
        return row.seq if row else 0

    @property
    def page(self) -> str:
        return str(self.app.screen_stack[0].query_one("#text", Static).content)

    @property
    def told(self) -> str:
        """Return the last notice."""
        return [notice.message for notice in self.app._notifications][-1]

    @property
    def all_text(self) -> str:
        """Return every character on the screen, as a terminal would get it."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def use(
    file: CaseFile,
    play: Callable[[Screen], Awaitable[None]],
    size: tuple[int, int] = (112, 20),
    at: int | None = None,
) -> DebugView:
    """Open the view, have somebody use it, and return it as it was left."""

    async def opened() -> DebugView:
        app = DebugView(file, at)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await play(Screen(app, pilot))
        return app

    return asyncio.run(opened())
