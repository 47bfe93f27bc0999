"""The list of events: only the lines on the screen are ever made, however many events there are."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from agentrun.report import words
from agentrun.report.table import cut
from agentrun.tui.paint import NAMES
from agentrun.tui.tape import Row

MAX_NAME_COLUMNS = 18


class EventList(ScrollView, can_focus=True):
    """A line an event: its number, the time since the start, the step, what happened."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"event-list--cursor"}
    DEFAULT_CSS = """
    EventList {
        overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1;
        text-wrap: nowrap;
        .event-list--cursor { background: $boost; }
        &:focus .event-list--cursor { background: $primary 35%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "↑↓ move", key_display="↑↓", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("home,g", "edge(0)", show=False),
        Binding("end,G", "edge(1)", show=False),
        Binding("n", "failure(1)", "Failure", key_display="p n"),
        Binding("p,N", "failure(-1)", show=False),
    ]
    cursor: reactive[int] = reactive(0)

    class Moved(Message):
        """The cursor stands on another event, or on none (`row` None)."""

        def __init__(self, row: Row | None) -> None:
            super().__init__()
            self.row = row

    def __init__(self, rows: Sequence[Row], began: float, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.rows: Sequence[Row] = ()
        self._began = began
        self._number_columns = len(str(rows[-1].seq)) if rows else 1
        took = words.duration(rows[-1].recorded.time - began) if rows else ""
        self._time_columns = max(6, len(took))
        longest = max((len(row.said.about) for row in rows), default=0)
        self._name_columns = min(MAX_NAME_COLUMNS, longest)

    @property
    def row(self) -> Row | None:
        """Return the row the cursor is on."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def show(self, rows: Sequence[Row], seq: int) -> None:
        """Show these rows, the cursor on the last that is not after event `seq`."""
        self.rows = rows
        self.virtual_size = Size(self.size.width, len(rows))
        before = sum(row.seq <= seq for row in rows)
        self.set_reactive(EventList.cursor, max(0, before - 1))
        self._settle(center=True)

    def on_resize(self, _event: Resize) -> None:
        """Keep the cursor on the screen."""
        self.virtual_size = Size(self.size.width, len(self.rows))
        self.call_after_refresh(self._reveal, center=True)

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(cursor, len(self.rows) - 1))

    def watch_cursor(self) -> None:
        """Tell of it, and bring the row into view."""
        self._settle()

    def _settle(self, *, center: bool = False) -> None:
        self.refresh()
        self._reveal(center=center)
        self.post_message(self.Moved(self.row))

    def _reveal(self, *, center: bool = False) -> None:
        line = Region(0, self.cursor, 1, 1)
        self.scroll_to_region(line, animate=False, force=True, center=center)

    def action_move(self, by: int) -> None:
        """Move by rows."""
        self.cursor += by

    def action_page(self, by: int) -> None:
        """Move by pages."""
        self.cursor += by * max(1, self.size.height - 1)

    def action_edge(self, end: int) -> None:
        """Move to the first or the last event."""
        self.cursor = end * (len(self.rows) - 1)

    def action_failure(self, by: int) -> None:
        """Move to the next or the previous failure."""
        there = self.cursor + by
        while 0 <= there < len(self.rows) and not self.rows[there].bad:
            there += by
        if 0 <= there < len(self.rows):
            self.cursor = there
        else:
            self.notify(f"no failure {'after' if by > 0 else 'before'} this event", timeout=2)

    def on_click(self, event: Click) -> None:
        """Move to the row that was clicked."""
        line = self.scroll_offset.y + event.y
        if line < len(self.rows):
            self.cursor = line

    def render_line(self, y: int) -> Strip:
        """Return one line of the screen."""
        line, width = self.scroll_offset.y + y, self.size.width
        if line >= len(self.rows):
            return Strip.blank(width, self.visual_style.rich_style)
        style = self.visual_style
        if line == self.cursor:
            style = self.get_visual_style("event-list--cursor")
        [strip] = Visual.to_strips(self, self._content(self.rows[line]), width, 1, style)
        return strip.adjust_cell_length(width, style.rich_style)

    def _content(self, row: Row) -> Content:
        since = words.duration(row.recorded.time - self._began)
        about = _cut(row.said.about, self._name_columns)
        head = self._number_columns + self._time_columns + 4 + (len(about) + 2 if about else 0)
        return Content.assemble(
            (f" {row.seq:>{self._number_columns}} ", "dim"),
            (f"{since:>{self._time_columns}}  ", "dim"),
            (about, "bold"),
            "  " if about else "",
            (
                cut(row.said.text, max(8, self.scrollable_content_region.width - head)),
                NAMES[row.said.style],
            ),
        )


def _cut(name: str, columns: int) -> str:
    """Return a name in so many columns; of a long one the end says more than the begin."""
    return f"…{name[1 - columns :]}" if len(name) > columns else name.ljust(columns)
