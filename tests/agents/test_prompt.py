"""The text an agent is asked with."""

from collections.abc import Callable

import pytest

from agentrun.core.failure import Evidence, Kind
from agentrun.core.model import OutputSpec
from agentrun.failures.classify import classify
from tests.agents.fake_cli import FakeCli
from tests.agents.world import World

Fake = Callable[[str], FakeCli]


def asked(world: World, fake: Fake, spec: dict[str, object], **changes: object) -> str:
    claude = fake("claude").plays("claude.answer")
    world.attempt({"cli": "claude", "prompt": "the task", **spec}, **changes)
    return claude.calls[0].stdin


def test_files_are_attached_with_their_names(world: World, fake: Fake) -> None:
    (world.folder / "rules.md").write_text("be kind\n")
    (world.work / "src").mkdir()
    (world.work / "src" / "a.py").write_text("A = 1\n")
    (world.work / "src" / "b.py").write_text("B = 2\n")
    text = asked(world, fake, {"files": ["rules.md", "src/*.py"]})
    assert '<file name="rules.md">\nbe kind\n</file>' in text
    assert text.index('name="src/a.py"') < text.index('name="src/b.py"')


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (["none.md"], Kind.NOT_FOUND),
        (["*.none"], Kind.NOT_FOUND),
        (["binary"], Kind.INPUT_FORMAT),
        (["large"], Kind.INPUT_FORMAT),
    ],
)
def test_files_that_can_not_be_attached(
    world: World, fake: Fake, files: list[str], kind: Kind
) -> None:
    (world.folder / "binary").write_bytes(b"\xff\xfe\x00")
    (world.folder / "large").write_text("x" * 2_000_000)
    claude = fake("claude").plays("claude.answer")
    outcome = world.attempt({"cli": "claude", "prompt": "x", "files": files})
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is kind
    assert not claude.calls


def test_a_prompt_that_can_not_fit_is_not_sent(world: World, fake: Fake) -> None:
    claude = fake("claude").plays("claude.answer")
    outcome = world.attempt({"cli": "claude", "prompt": "word " * 5000, "context_tokens": 1000})
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.CONTEXT_OVERFLOW
    assert not claude.calls


def test_stdin_is_part_of_the_prompt(world: World, fake: Fake) -> None:
    assert '<stdin>\n{\n  "a": 1\n}\n</stdin>' in asked(world, fake, {}, stdin={"a": 1})


def test_the_form_of_the_answer_is_asked_for(world: World, fake: Fake) -> None:
    schema = {"type": "object", "properties": {"label": {"enum": ["bug", "feature"]}}}
    text = asked(world, fake, {}, output=OutputSpec("schema", schema))
    assert '{"label": {"enum": ["bug", "feature"]}}' in text


def test_additions_stand_below(world: World, fake: Fake) -> None:
    text = asked(world, fake, {}, prompt_additions=("Mind the gap.",))
    assert text.endswith("Mind the gap.")


def test_a_large_prompt_goes_in_whole(world: World, fake: Fake) -> None:
    assert len(asked(world, fake, {"prompt": "x" * 500_000})) == 500_000
