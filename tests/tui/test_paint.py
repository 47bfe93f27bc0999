import pytest

from agentrun.tui.paint import Painter, content_of


def test_what_is_painted_becomes_spans_and_no_character_of_the_text() -> None:
    out = Painter(80)
    content = content_of([f"a {out.paint('red', 'bad')} b", out.paint("bold", "c")])
    assert content.plain == "a bad b\nc\n"
    assert [(span.start, span.end, span.style) for span in content.spans] == [
        (2, 5, "$text-error"),
        (8, 9, "bold"),
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07x", "x"),
        ("[red]not red[/red] [@click=app.quit]x[/]", "[red]not red[/red] [@click=app.quit]x[/]"),
        ("a\x00b\x9bc\u202ed", "a\\x00b\\x9bc\\u202ed"),
        ("a\tb", "a   b"),
        ("\x1b[31munfinished", "unfinished"),
        ("\x1b[31m\x1b]8;;http://x\x07y\x1b[0m", "y"),
    ],
)
def test_foreign_text_is_only_text(text: str, shown: str) -> None:
    content = content_of([text])
    assert content.plain == shown + "\n"
    assert content.spans == []
