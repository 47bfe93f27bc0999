import subprocess
import sys

import pytest

from agentrun import __main__, __version__
from agentrun.cli import settings
from agentrun.cli.commands import COMMANDS
from agentrun.errors import NotWritable
from tests.cli.conftest import HELLO, Agentrun, Write


def test_version(agentrun: Agentrun) -> None:
    for args in (["--version"], ["-q", "--version"]):
        ran = agentrun(*args)
        assert ran == (0, f"agentrun {__version__}\n", "")


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]])
def test_help(agentrun: Agentrun, args: list[str]) -> None:
    ran = agentrun(*args)
    assert ran.code == 0
    assert ran.err == ""
    for name, entry in COMMANDS.items():
        assert f"  {name} " in ran.out
        assert entry.help in ran.out
    assert "Examples:\n  agentrun init " in ran.out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["rnu"], "there is no command 'rnu': did you mean run?"),
        (["zzz"], "there is no command 'zzz': one of run, resume"),
        (["run"], "Missing argument 'FILE'"),
        (["run", "x.yaml", "--jsno"], "No such option: --jsno (Possible options: --json)"),
        (["run", "x.yaml", "--max-parallel", "0"], "Invalid value for '--max-parallel'"),
        (["list", "--status", "faild"], "did you mean failed?"),
        (["--checkpoints"], "Option '--checkpoints' requires an argument"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_right(
    agentrun: Agentrun, args: list[str], message: str
) -> None:
    ran = agentrun(*args)
    assert ran.code == 2
    assert ran.out == ""
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_global_options_stand_before_or_after_the_command(agentrun: Agentrun, write: Write) -> None:
    file = str(write("hello.yaml", HELLO))
    agentrun("--checkpoints", "a", "-q", "run", file)
    assert settings.current().checkpoints == "a"
    assert settings.current().quiet
    agentrun("run", file, "-q", "--checkpoints", "b")
    assert settings.current().checkpoints == "b"
    assert settings.current().quiet
    agentrun("-v", "run", file, "--no-color")
    assert settings.current() == ("checkpoints", False, True, False, False)


def test_the_folder_comes_from_the_environment(
    agentrun: Agentrun, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTRUN_CHECKPOINTS", "elsewhere")
    ran = agentrun("run", str(write("hello.yaml", HELLO)))
    assert "agentrun --checkpoints elsewhere inspect hello-" in ran.err
    assert len(agentrun("list", "--json").json) == 1
    assert agentrun("list", "--json", "--checkpoints", "checkpoints").json == []


def refusing(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command line end in an error, as the world might make it."""

    def execute(_args: object) -> int:
        raise error

    settings.reset()
    monkeypatch.setattr("agentrun.cli.main.execute", execute)


def test_an_error_of_ours_is_a_message_a_hint_and_its_code(
    agentrun: Agentrun, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(NotWritable("checkpoints/x: no space\x1b[2J left", "free some"), monkeypatch)
    assert agentrun("list") == (
        4,
        "",
        "error: checkpoints/x: no space left\n  hint: free some\n  next: agentrun doctor\n",
    )


def test_an_interruption_is_130(agentrun: Agentrun, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(KeyboardInterrupt(), monkeypatch)
    assert agentrun("list") == (130, "", "")


def test_a_bug_is_told_as_a_bug(agentrun: Agentrun, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(ZeroDivisionError("oops"), monkeypatch)
    ran = agentrun("list")
    assert ran.code == __main__.BUG == 70
    assert "ZeroDivisionError: oops" in ran.err
    assert "this is a bug in agentrun" in ran.err


def shell(command: str) -> tuple[int, str]:
    """Run a pipeline with a real agentrun in it; return the exit code of agentrun, and stderr."""
    script = (
        f'agentrun() {{ "{sys.executable}" -m agentrun "$@"; }}\n{command}\nexit ${{PIPESTATUS[0]}}'
    )
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


@pytest.fixture
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", __main__.__file__.rpartition("/agentrun/")[0])


@pytest.mark.usefixtures("_importable")
@pytest.mark.parametrize("args", ["--help", "--version", "list --help", "schema"])
def test_a_reader_that_goes_away_is_quiet(args: str) -> None:
    code, err = shell(f"agentrun {args} | true")
    assert err == ""
    assert code == 0


@pytest.mark.usefixtures("_importable")
def test_a_run_whose_readers_go_away_ends_as_it_would(write: Write) -> None:
    write("hello.yaml", HELLO)
    assert shell("agentrun run hello.yaml 2>&1 | true")[0] == 0
    assert shell("agentrun run hello.yaml --events - | true")[0] == 0
    write("bad.yaml", "steps: [{id: a, run: exit 3}]")
    assert shell("agentrun run bad.yaml 2>&1 | true")[0] == 1
