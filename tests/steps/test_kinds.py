"""What all step kinds have in common, and how a third party adds one."""

import dataclasses
import json
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentrun.core.outcome import Success
from agentrun.steps import registry
from agentrun.steps.kind import StepKind

pytestmark = pytest.mark.anyio

COMMON = frozenset({"id", "name", "needs", "if", "for_each", "as", "max_parallel", "until", "max_rounds", "timeout", "idle_timeout", "retry", "on_error", "fallback", "checks", "output", "env", "cwd", "stdin", "with", "component", "idempotent", "continue_on_error", "remedies"})  # fmt: skip
KINDS = [registry.get(name) for name in registry.built_in_names()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_fits_its_own_description(kind: StepKind) -> None:
    fields = {field.name for field in dataclasses.fields(kind.spec)}
    assert kind.scalar is None or kind.scalar in fields
    assert kind.beside | kind.either | kind.program_text <= fields
    assert kind.refuses <= COMMON
    assert not kind.refuses & kind.either
    for hint in typing.get_type_hints(kind.spec, include_extras=True).values():
        if typing.get_origin(hint) is typing.Annotated:
            assert isinstance(hint.__metadata__[0], str)


@pytest.mark.parametrize("name", ["wait", "approval"])
async def test_kinds_that_the_runner_performs_are_never_executed(name: str, make_ctx: Any) -> None:
    with pytest.raises(RuntimeError, match="the runner"):
        await registry.get(name).execute(make_ctx())


def test_knowing_the_kinds_imports_nothing_heavy() -> None:
    code = """
import sys, json
from agentrun.steps import registry
for name in registry.built_in_names():
    registry.get(name)
print(json.dumps([m for m in ("asyncio", "httpx2", "jsonschema", "pydantic", "subprocess", "ssl") if m in sys.modules]))
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed distribution that adds kinds, one of them with a name that is taken."""
    (tmp_path / "shout_kind.py").write_text(
        "from dataclasses import dataclass\n"
        "from agentrun.core.outcome import Success\n"
        "from agentrun.steps.kind import StepKind\n"
        "@dataclass(frozen=True, slots=True)\n"
        "class ShoutSpec:\n"
        "    text: str\n"
        "async def execute(ctx):\n"
        "    return Success(output=ctx.spec['text'].upper())\n"
        "KIND = StepKind(name='shout', spec=ShoutSpec, execute=execute, scalar='text')\n"
        "WRONG = 'no kind at all'\n"
    )
    info = tmp_path / "shout_kind-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shout-kind\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[agentrun.steps]\nshout = shout_kind:KIND\nrun = shout_kind:KIND\nwrong = shout_kind:WRONG\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    _forget()
    yield
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    registry.third_party_names.cache_clear()
    registry.get.cache_clear()


@pytest.mark.usefixtures("third_party")
async def test_a_third_party_adds_a_kind(make_ctx: Any) -> None:
    assert "shout" in registry.third_party_names()
    outcome = await registry.get("shout").execute(make_ctx(text="hello"))
    assert outcome == Success(output="HELLO")


@pytest.mark.usefixtures("third_party")
def test_a_built_in_kind_can_not_be_taken_over() -> None:
    assert "run" not in registry.third_party_names()
    assert registry.get("run").execute.__module__ == "agentrun.steps.run"


@pytest.mark.usefixtures("third_party")
def test_what_is_no_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="the step kind 'wrong' is not a StepKind but str"):
        registry.get("wrong")


def test_an_unknown_kind() -> None:
    with pytest.raises(KeyError):
        registry.get("no_such_kind")
