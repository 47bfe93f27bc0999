"""What stands before the view for a moment: the question whether to apply a fix, and the keys."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from agentrun.tui.paint import content_of

KEYS = (
    ("↑ ↓  k j", "event before, event after"),
    ("PgUp PgDn  g G", "a page; the first, the last event"),
    ("p n", "failure before, failure after"),
    ("/  Esc", "only events whose step or words hold a text; all"),
    ("← →  1 to 5", "the page beside the events"),
    ("K J", "scroll that page; Tab goes into it"),
    ("a", "the fixes; on one of them, apply it"),
    ("q  Ctrl+C", "leave; nothing was changed"),
)


class Confirm(ModalScreen[bool]):
    """Asks whether to apply a fix: True for yes."""

    CSS = """
    Confirm, Keys { align: center middle; background: $background 60%; }
    #dialog {
        width: 76; max-width: 95%; height: auto; max-height: 90%;
        border: round $primary; background: $surface; padding: 1 2;
    }
    #what { height: auto; max-height: 14; }
    #answers { height: auto; align: right middle; margin-top: 1; }
    #answers Button { margin-left: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Apply"),
        Binding("n,escape,q", "answer(False)", "Leave it"),
        Binding("left,right", "app.focus_next", show=False),
    ]

    def __init__(self, step: str, lines: list[str]) -> None:
        super().__init__()
        self._step, self._lines = step, lines

    def compose(self) -> ComposeResult:
        """Lay out the question; what can't be undone is not what Enter does first."""
        with Vertical(id="dialog"):
            yield Static(Content.assemble("Apply this to ", (self._step, "bold"), " and resume?"))
            yield Static("")
            with VerticalScroll(id="what", can_focus=False):
                yield Static(content_of(self._lines))
            yield Static(
                Content("The view closes; the next attempt shows whether the fix works."),
                classes="quiet",
            )
            with Horizontal(id="answers"):
                yield Button("Leave it (n)", id="no", compact=True)
                yield Button("Apply (y)", id="yes", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Begin on the answer that changes nothing."""
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the answer."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Take the answer."""
        self.dismiss(answer)


class Keys(ModalScreen[None]):
    """Lists the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Close")
    ]
    CSS = Confirm.CSS

    def compose(self) -> ComposeResult:
        """Lay out the keys."""
        rows = [((f"{keys:<16}", "bold"), f"{does}\n") for keys, does in KEYS]
        with Vertical(id="dialog"):
            yield Static(Content.assemble(*(part for row in rows for part in row)))
