"""The application: the events on the left, a page about the one the cursor is on to the right."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, OptionList, Static, Tab, Tabs
from textual.widgets.option_list import Option

from agentrun.report import words
from agentrun.report.fixes_view import proposal_lines
from agentrun.report.inspect_view import STYLES as STATUS_STYLES, shown_status
from agentrun.tui.dialogs import Confirm, Keys
from agentrun.tui.event_list import EventList
from agentrun.tui.pages import CaseFile, Pages
from agentrun.tui.paint import NAMES, Painter, content_of
from agentrun.tui.tape import Row, Tape

TABS = {
    "happened": "What happened",
    "state": "State",
    "diff": "Diff",
    "log": "Log",
    "diagnosis": "Diagnosis",
}
INTERRUPTED, TERMINATED, BUG = 130, 143, 70


class DebugView(App[int]):
    """Steps through a task; its result is the number of the fix to apply, None for none."""

    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - declared so in App
    CSS = """
    #title {
        height: 1; padding: 0 1; background: $panel; text-wrap: nowrap; text-overflow: ellipsis;
    }
    #body { height: 1fr; }
    #left { width: 45%; border-right: solid $panel; }
    #filter { height: 1; border: none; padding: 0 1; background: $boost; display: none; }
    #filter.open { display: block; }
    #right { width: 1fr; }
    #page { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    #page:focus { background: $surface; }
    #fixes { display: none; height: auto; max-height: 50%; border: none; }
    #fixes.open { display: block; border-top: solid $primary; border-title-color: $text; }
    #fixes > .option-list--option-highlighted { background: $primary 20%; text-style: none; }
    #fixes:focus > .option-list--option-highlighted { background: $primary 35%; }
    .quiet { color: $text-muted; }
    .-narrow #body { layout: vertical; }
    .-narrow #left { width: 100%; height: 35%; border-right: none; border-bottom: solid $panel; }
    .-narrow #right { height: 1fr; width: 100%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("right,l", "turn(1)", "Page", key_display="← →"),
        Binding("left,h", "turn(-1)", show=False),
        *(Binding(str(n), f"open('{name}')", show=False) for n, name in enumerate(TABS, 1)),
        Binding("J,shift+down", "scroll(3)", show=False),
        Binding("K,shift+up", "scroll(-3)", show=False),
        Binding("a", "apply", "Apply a fix"),
        Binding("escape", "close", show=False),
        Binding("question_mark", "keys", "Keys", key_display="?"),
        Binding("q", "leave", "Quit"),
    ]

    def __init__(self, file: CaseFile, at: int | None = None) -> None:
        super().__init__()
        self._file = file
        self._tape = Tape(file.state.task_id, file.sources.records)
        self._pages = Pages(file, self._tape)
        self._first = self._tape.opening(file.state) if at is None else at
        self._stale = False
        self._shown = ("", 0, 0)
        self._offered: list[tuple[str, int, list[str]]] | None = None

    def compose(self) -> ComposeResult:
        """Lay out the view."""
        yield Static(id="title")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield EventList(self._tape.rows, self._tape.began, id="events")
                yield Input(placeholder="step or words", id="filter", compact=True)
            with Vertical(id="right"):
                yield Tabs(*(Tab(f"{n} {name}", id=key) for n, (key, name) in _numbered()))
                with VerticalScroll(id="page"):
                    yield Static(id="text")
                yield OptionList(id="fixes", markup=False)
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Begin at the failure; a SIGTERM leaves the terminal as it was."""
        self._base.query_one(Tabs).can_focus = False
        self._events.show(self._tape.rows, self._first)
        self._events.focus()
        self.animation_level = "none"
        self._base.query_one("#fixes").border_title = "fixes: Enter asks, then applies"
        loop = asyncio.get_running_loop()
        if self.is_headless:
            return
        loop.add_signal_handler(signal.SIGTERM, lambda: self.exit(return_code=TERMINATED))

    @property
    def _base(self) -> Screen[object]:
        """Return the view itself, whatever stands before it."""
        return self.screen_stack[0]

    @property
    def _page(self) -> str:
        """Return the page whose tab is active, also before the tab has sent word of it."""
        return self._base.query_one(Tabs).active or "happened"

    @property
    def _events(self) -> EventList:
        return self._base.query_one(EventList)

    # --- what is shown ------------------------------------------------------------------------

    def on_event_list_moved(self, _event: EventList.Moved) -> None:
        """Show the page for another event."""
        self._refresh_page()

    def on_tabs_tab_activated(self, _event: Tabs.TabActivated) -> None:
        """Show another page."""
        self._refresh_page()

    def on_resize(self) -> None:
        """Lay the page out anew."""
        self._refresh_page()

    def _refresh_page(self) -> None:
        """Have the page written once, however many keys came meanwhile."""
        if not self._stale:
            self._stale = True
            self.call_after_refresh(self._write_page)

    def _write_page(self) -> None:
        self._stale = False
        row, pane = self._events.row, self._base.query_one("#page", VerticalScroll)
        self._write_title(row)
        columns = pane.scrollable_content_region.width - 1
        moment = 0 if row is None or self._page == "diagnosis" else row.seq
        if (now := (self._page, moment, columns)) == self._shown:
            return
        self._shown, out = now, Painter(columns)
        self._base.query_one("#text", Static).update(content_of(self._lines(row, out)))
        self._base.query_one("#fixes").set_class(
            self._page == "diagnosis" and self._offers(out), "open"
        )
        if self._page == "log":
            pane.scroll_end(animate=False)
        else:
            pane.scroll_home(animate=False)

    def _lines(self, row: Row | None, out: Painter) -> Iterator[str]:
        if self._page == "diagnosis":
            return self._pages.diagnosis(out)
        if row is None:
            return iter([out.paint("dim", "no event matches the filter")])
        write: Callable[[Row, Painter], Iterator[str]] = {
            "happened": self._pages.happened,
            "state": self._pages.state,
            "diff": self._pages.diff,
            "log": self._pages.log,
        }[self._page]
        return write(row, out)

    def _write_title(self, row: Row | None) -> None:
        state, held = self._file.state, self._file.held()
        status = shown_status(state, live=bool(held))
        moment = f"event {row.seq:,} of {len(self._tape.records):,}" if row else "no event"
        wanted = self._base.query_one(Input).value
        chosen = (
            f"  {len(self._events.rows):,} with {words.one_line(wanted, 30)!r}" if wanted else ""
        )
        self._base.query_one("#title", Static).update(
            Content.assemble(
                (state.task_id, "bold"),
                "  ",
                (status, NAMES[STATUS_STYLES.get(status, "")]),
                ("  " + moment, "dim"),
                (chosen, "$text-warning"),
            ),
            layout=False,
        )

    # --- moving -------------------------------------------------------------------------------

    def action_turn(self, by: int) -> None:
        """Turn to another page."""
        names = list(TABS)
        self.action_open(names[(names.index(self._page) + by) % len(names)])

    def action_open(self, name: str) -> None:
        """Open a page."""
        self._base.query_one(Tabs).active = name

    def action_scroll(self, by: int) -> None:
        """Scroll the page."""
        self._base.query_one("#page", VerticalScroll).scroll_relative(y=by, animate=False)

    def action_filter(self) -> None:
        """Ask for a text to look for."""
        field = self._base.query_one(Input)
        field.add_class("open")
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the events that match, the cursor where it was."""
        row = self._events.row
        self._events.show(self._tape.matching(event.value), row.seq if row else self._first)

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """Keep the filter and go back to the events."""
        self._base.query_one(Input).set_class(bool(self._base.query_one(Input).value), "open")
        self._events.focus()

    def action_close(self) -> None:
        """Go back to the events; show all of them, if one was there already."""
        field = self._base.query_one(Input)
        if field.has_focus or self._events.has_focus:
            field.value = ""
            field.remove_class("open")
        self._events.focus()

    def action_keys(self) -> None:
        """List the keys."""
        self.push_screen(Keys())

    # --- fixes --------------------------------------------------------------------------------

    def _offers(self, out: Painter) -> bool:
        """List the fixes, once; return whether there are any."""
        if self._offered is None:
            self._offered = [
                (step, each.number, list(proposal_lines(each, out)))
                for step, each in self._pages.proposals()
            ]
            options = [Option(content_of(lines).rstrip()) for _, _, lines in self._offered]
            self._base.query_one("#fixes", OptionList).add_options(options)
        return bool(self._offered)

    def action_apply(self) -> None:
        """Go to the fixes; from one of them, ask whether to apply it."""
        fixes = self._base.query_one("#fixes", OptionList)
        if not self._offers(Painter(self.size.width)):
            self.action_open("diagnosis")
            self.notify("there is no fix to apply", timeout=3)
        elif fixes.has_focus:
            fixes.action_select()
        else:
            fixes.add_class("open")
            fixes.highlighted = fixes.highlighted or 0
            self.action_open("diagnosis")
            self._base.set_focus(fixes)  # at once: the next key may be here already

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Ask whether to apply the fix, unless a process works on the task."""
        assert self._offered is not None
        step, number, lines = self._offered[event.option_index]
        if held := self._file.held():
            self.notify(held, title="not now", severity="warning", markup=False)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.exit(number)

        self.push_screen(Confirm(step, lines), answered)

    # --- leaving ------------------------------------------------------------------------------

    def action_leave(self) -> None:
        """Leave without a fix."""
        self.exit(None)

    def action_help_quit(self) -> None:
        """Leave on Ctrl+C, as any command does."""
        self.exit(return_code=INTERRUPTED)


def _numbered() -> Iterator[tuple[int, tuple[str, str]]]:
    return enumerate(TABS.items(), 1)


@contextmanager
def _colors(wanted: bool | None) -> Iterator[None]:
    """Tell Textual, which knows NO_COLOR alone, that the command line wants no colours."""
    if wanted is not False or "NO_COLOR" in os.environ:
        yield
        return
    os.environ["NO_COLOR"] = "1"
    try:
        yield
    finally:
        del os.environ["NO_COLOR"]


def explore(file: CaseFile, at: int | None, *, color: bool | None) -> tuple[int | None, int]:
    """Show the view until the person leaves it. Returns the number of the fix to apply, None for
    none, and the exit code of a command that ends here.
    """
    with _colors(color):
        app = DebugView(file, at)
    chosen = app.run()
    code = app.return_code or 0
    return chosen, BUG if code == 1 else code  # Textual has printed the traceback
