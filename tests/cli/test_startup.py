"""What a command imports: the cheap guard of its start-up time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentrun import __main__
from tests.cli.conftest import FAILS, HELLO, Agentrun, Write

ROOT = __main__.__file__.rpartition("/agentrun/")[0]
HEAVY = {"rich", "textual", "pydantic", "jinja2", "jsonschema", "httpx2", "json_repair"}
HEAVY |= {"tenacity", "anyio"}
UNUSED_IN_A_RUN = {
    *("yaml", "typer", "ssl", "asyncio.sslproto", "inspect", "ast", "tempfile", "shutil", "random"),
    *("importlib.metadata", "zipfile", "typing_extensions", "json", "difflib"),
}
LOOKING = HEAVY | {"yaml", "asyncio", "multiprocessing", "concurrent.futures", "http", "email"}


def imported(*args: str) -> set[str]:
    """Return the modules that a command line has imported, down to the second level."""
    code = (
        "import sys\n"
        "from agentrun.__main__ import run\n"
        f"code = run({list(args)!r})\n"
        "loaded = (n for n, m in sys.modules.items() if type(m).__name__ != '_Deferred')\n"
        "print(*sorted(loaded), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    return set(done.stderr.splitlines()[-1].split())


def test_version_imports_nothing() -> None:
    extra = {name for name in imported("--version") if name.startswith(("typer", "agentrun."))}
    assert extra == {"agentrun.__main__"}


@pytest.mark.parametrize("args", [["--help"], ["run", "--help"], ["inspect", "--help"]])
def test_help_imports_typer_and_little_more(args: list[str]) -> None:
    modules = imported(*args)
    assert sorted(modules & (LOOKING | {"msgspec", "sqlite3"})) == []
    assert {name for name in modules if name.startswith("agentrun.core")} <= {"agentrun.core"}


def test_completion_of_a_command_is_as_light_as_help(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sorted(imported("--he") & LOOKING) == []


@pytest.mark.parametrize(
    "args",
    [
        ["list"],
        ["inspect", "latest"],
        ["inspect", "latest", "--step", "first"],
        ["debug", "latest"],
        ["logs", "latest"],
    ],
)
def test_looking_at_tasks_is_light(agentrun: Agentrun, write: Write, args: list[str]) -> None:
    agentrun("run", str(write("fails.yaml", FAILS)))
    modules = imported(*args)
    assert "agentrun.store.manager" in modules
    assert sorted(modules & LOOKING) == []


def test_a_shell_only_run_is_light(agentrun: Agentrun, write: Write) -> None:
    plain = str(write("plain.yaml", "steps: [{id: a, run: echo hi}]"))
    assert agentrun("run", plain).code == 0
    modules = imported("run", plain)
    unused = HEAVY | UNUSED_IN_A_RUN
    if sys.version_info >= (3, 12):  # asyncio itself needs these two there
        unused -= {"inspect", "ast"}
    assert sorted(modules & unused) == []


def test_a_run_imports_no_part_of_ours_that_it_does_not_use(
    agentrun: Agentrun, write: Write
) -> None:
    plain = str(write("plain.yaml", "steps: [{id: a, run: echo hi}]"))
    assert agentrun("run", plain).code == 0
    modules = imported("run", plain)
    ours = {name for name in modules if name.startswith("agentrun.")}
    unused = (
        *("agentrun.recovery.debugger", "agentrun.recovery.adjust.", "agentrun.recovery.gate"),
        *("agentrun.failures.r", "agentrun.failures.c", "agentrun.cli.main", "agentrun.steer"),
    )
    needed = {"agentrun.recovery.adjust.apply", "agentrun.recovery.adjust.output_format"}
    assert sorted(name for name in ours - needed if name.startswith(unused)) == []
    assert len(ours) < 117, "each costs a third of a millisecond"
    assert len(modules) < 290


def test_a_run_with_simple_expressions_needs_no_jinja(agentrun: Agentrun, write: Write) -> None:
    file = str(write("hello.yaml", HELLO))
    assert agentrun("run", file).code == 0
    assert sorted(imported("run", file) & (HEAVY | {"yaml"})) == []


def test_the_guard_sees_what_it_guards_against(write: Write) -> None:
    write("new.yaml", HELLO)
    assert imported("run", "new.yaml") & {"yaml", "pydantic"}, "a first load parses YAML"
    assert Path("checkpoints").is_dir()
