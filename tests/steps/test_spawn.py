"""How programs are started: what they find open, and by which way."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentrun.core.outcome import Success
from agentrun.steps import registry, spawn

SHOW_OPEN = "ls /proc/self/fd | tr '\\n' ' '"

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here"),
]


@pytest.fixture
def left_open() -> Iterator[int]:
    """A descriptor that children inherit unless somebody sees to it."""
    fd = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(fd, True)
    yield fd
    os.close(fd)


async def output_of(make_ctx: Any, command: str, **more: Any) -> str:
    ctx = make_ctx(command=command, shell="bash", **more)
    outcome = await registry.get("run").execute(ctx)
    assert isinstance(outcome, Success), outcome
    return str(outcome.output).strip()


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_program_finds_three_streams_open_and_nothing_else(
    make_ctx: Any, left_open: int, tmp_path: Path, elsewhere: bool
) -> None:
    cwd = tmp_path if elsewhere else Path.cwd()
    found = (await output_of(make_ctx, SHOW_OPEN, cwd=cwd)).split()
    assert str(left_open) not in found
    assert found == ["0", "1", "2", "3"]  # 3 is the folder that `ls` reads


async def test_it_leads_a_session_of_its_own_and_dies_of_a_broken_pipe(make_ctx: Any) -> None:
    script = (
        'test "$(ps -o sid= -p $$ | tr -d " ")" = $$; (yes || true) | head -1; trap -p PIPE XFSZ'
    )
    assert await output_of(make_ctx, script, cwd=Path.cwd()) == "y"


async def test_most_programs_start_without_subprocess(
    make_ctx: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    assert await output_of(make_ctx, "echo here", cwd=Path.cwd()) == "here"
    with pytest.raises(TypeError):
        await output_of(make_ctx, "echo there", cwd=tmp_path)


@pytest.fixture
def tools(tmp_path: Path) -> list[Path]:
    """Return the same program in two folders."""
    found = [tmp_path / folder / "tool" for folder in ("first", "second")]
    for tool in found:
        tool.parent.mkdir()
        tool.write_text("#!/bin/sh\n")
        tool.chmod(0o755)
    return found


async def test_a_program_is_found_as_the_shell_finds_it(tools: list[Path]) -> None:
    first, second = tools
    first.chmod(0o644)
    path = os.pathsep.join(["relative", str(first.parent), str(second.parent)])
    assert spawn.program("tool", path) == str(second)
    assert spawn.program("no_such_tool", path) == "no_such_tool"


async def test_a_program_that_is_gone_is_looked_for_again(tools: list[Path]) -> None:
    first, second = tools
    path = os.pathsep.join([str(first.parent), str(second.parent)])
    assert spawn.program("tool", path) == str(first)
    first.unlink()
    assert spawn.program("tool", path) == str(second)
