"""What a shell command's end means, seen through the kind `run`."""

import json
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentrun.core.failure import Evidence
from agentrun.core.outcome import Note, ProcessStarted, Success
from agentrun.steps.log import FileLog
from agentrun.steps.run import KIND, component

pytestmark = pytest.mark.anyio


async def run(make_ctx: Any, command: str, **given: Any) -> Success | Evidence:
    return await KIND.execute(make_ctx(command=command, **given))


async def succeed(make_ctx: Any, command: str, **given: Any) -> Any:
    outcome = await run(make_ctx, command, **given)
    assert isinstance(outcome, Success), outcome
    return outcome.output


async def fail(make_ctx: Any, command: str, **given: Any) -> Evidence:
    outcome = await run(make_ctx, command, **given)
    assert isinstance(outcome, Evidence), outcome
    return outcome


async def test_stdout_is_the_output_and_both_streams_are_in_the_log(
    make_ctx: Any, log: FileLog
) -> None:
    assert await succeed(make_ctx, "echo out; echo err >&2") == "out\n"
    assert sorted(log.tail().splitlines()) == ["err", "out"]


async def test_output_is_raw(make_ctx: Any) -> None:
    assert await succeed(make_ctx, r"printf '  a\r\n\n'") == "  a\r\n\n"
    assert await succeed(make_ctx, "printf a") == "a"
    assert await succeed(make_ctx, "true") == ""


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 3", 3), ("false | cat", 1), ("echo $undefined", 1), ("false; echo not reached", 1)],
)
async def test_bash_is_strict(make_ctx: Any, command: str, code: int) -> None:
    assert (await fail(make_ctx, command)).exit_code == code


async def test_sh_stops_at_the_first_error_too(make_ctx: Any) -> None:
    assert (await fail(make_ctx, "false; echo no", shell="sh")).exit_code == 1


async def test_the_evidence_holds_what_was_printed(make_ctx: Any) -> None:
    evidence = await fail(make_ctx, "echo said; echo complained >&2; exit 4")
    assert "said" in evidence.text
    assert "complained" in evidence.text
    assert (evidence.channel, evidence.exit_code, evidence.signal) == ("subprocess", 4, None)


async def test_a_death_by_signal_is_told_as_a_shell_does(make_ctx: Any) -> None:
    evidence = await fail(make_ctx, "kill -SEGV $$")
    assert (evidence.exit_code, evidence.signal) == (139, "SIGSEGV")


async def test_a_missing_program(make_ctx: Any) -> None:
    assert (await fail(make_ctx, "no_such_program_here --x")).exit_code == 127


async def test_a_missing_shell(make_ctx: Any, tmp_path: Path) -> None:
    evidence = await fail(make_ctx, "true", env={"PATH": str(tmp_path)})
    assert (evidence.exit_code, evidence.exception) == (127, "FileNotFoundError")
    assert evidence.text == "bash: command not found"


async def test_a_missing_folder_is_not_a_missing_program(make_ctx: Any, tmp_path: Path) -> None:
    evidence = await fail(make_ctx, "true", cwd=tmp_path / "gone")
    assert evidence.exit_code is None
    assert evidence.exception == "FileNotFoundError"
    assert f"can't enter the folder {tmp_path / 'gone'}" in evidence.text


async def test_a_value_too_large_for_the_environment_is_named(make_ctx: Any) -> None:
    env = {**os.environ, "BIG": "x" * 200_000}
    evidence = await fail(make_ctx, "true", env=env)
    assert "Argument list too long: the variable BIG holds 200,000 bytes" in evidence.text
    assert "stdin" in evidence.text


async def test_a_zero_character_in_the_environment(make_ctx: Any) -> None:
    evidence = await fail(make_ctx, "true", env={**os.environ, "BAD": "a\0b"})
    assert evidence.exception == "ValueError"


async def test_a_script_larger_than_an_argument(make_ctx: Any) -> None:
    script = f"value='{'x' * 300_000}'\necho ${{#value}}; cat; exit 0"
    assert await succeed(make_ctx, script, stdin="read") == "300000\nread"


@pytest.mark.parametrize("size", [1, 65_536, 1_000_000])
async def test_stdin_of_any_size(make_ctx: Any, size: int) -> None:
    assert (await succeed(make_ctx, "wc -c", stdin="x" * size)).strip() == str(size)


async def test_stdin_of_a_value_is_json(make_ctx: Any) -> None:
    assert json.loads(await succeed(make_ctx, "cat", stdin={"a": [1, "é"]})) == {"a": [1, "é"]}


async def test_a_megabyte_that_nobody_reads(make_ctx: Any) -> None:
    assert await succeed(make_ctx, "echo done", stdin="x" * 1_000_000) == "done\n"
    assert await succeed(make_ctx, "exec <&-; echo closed", stdin="x" * 1_000_000) == "closed\n"


async def test_half_a_character_is_no_reason_to_fail(make_ctx: Any) -> None:
    assert await succeed(make_ctx, "cat; : \ud800", stdin="a\ud800\udcff") == "a" + "\ufffd" * 6


async def test_no_stdin_is_an_empty_one(make_ctx: Any) -> None:
    assert await succeed(make_ctx, "cat; echo end") == "end\n"


async def test_what_is_not_utf8(make_ctx: Any, log: FileLog) -> None:
    assert await succeed(make_ctx, r"printf 'a\xff\xfeb'") == "a\ufffd\ufffdb"
    assert "stdout is not UTF-8 (from byte 1 on)" in log.tail()
    log.close()
    assert b"a\xff\xfeb" in log.path.read_bytes()


async def test_a_program_that_closes_its_streams_is_waited_for(make_ctx: Any) -> None:
    assert (await fail(make_ctx, "exec >&- 2>&-; sleep 0.1; exit 5")).exit_code == 5


async def test_much_output_on_stderr_costs_neither_memory_nor_disk(
    make_ctx: Any, log: FileLog
) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert await succeed(make_ctx, "head -c 200000000 /dev/zero >&2; echo end >&2") == ""
    log.close()
    assert log.path.stat().st_size < 18 * 1024 * 1024
    assert log.path.read_bytes().endswith(b"end\n")
    assert b"bytes left out here" in log.path.read_bytes()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 64 * 1024  # KiB


async def test_more_output_than_a_value_may_hold_ends_the_step(make_ctx: Any, log: FileLog) -> None:
    evidence = await fail(make_ctx, "yes")
    assert evidence.exception == "BadOutput"
    assert "more than 64 MiB" in evidence.text
    assert evidence.signal is None  # our own signal must not look like the system's
    log.close()
    assert log.path.stat().st_size < 18 * 1024 * 1024


async def test_a_process_that_lives_is_recorded(make_ctx: Any, notes: list[Note]) -> None:
    assert int(await succeed(make_ctx, "echo $$; sleep 0.1")) == _started(notes).pid
    assert _started(notes).started > 0


def _started(notes: list[Note]) -> ProcessStarted:
    (note,) = notes
    assert isinstance(note, ProcessStarted)
    return note


async def test_no_descriptor_is_left_open(make_ctx: Any) -> None:
    async def once() -> None:
        await run(make_ctx, "echo a; exit 1", stdin="x" * 100_000)
        await run(make_ctx, "true", cwd=Path("/no/such/folder"))
        await run(make_ctx, f": {'x' * 200_000}")
        await run(make_ctx, "sleep 0.05")

    await once()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await once()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_too_many_open_files(make_ctx: Any) -> None:
    await run(make_ctx, "true")  # whatever is opened once is open now
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    next_free = os.dup(0)
    os.close(next_free)
    limit = next_free + 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        evidence = await fail(make_ctx, "true")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "Too many open files" in evidence.text
    assert evidence.exception == "OSError"


@pytest.fixture
def ignored_sigchld() -> Iterator[None]:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.usefixtures("ignored_sigchld")
async def test_a_failure_is_seen_even_when_sigchld_was_ignored(make_ctx: Any) -> None:
    assert (await fail(make_ctx, "exit 3")).exit_code == 3


async def test_a_lost_exit_status_is_no_success(make_ctx: Any) -> None:
    async def steal(note: Note) -> None:
        assert isinstance(note, ProcessStarted)
        os.waitpid(note.pid, 0)  # noqa: ASYNC222 - that is the theft

    evidence = await fail(make_ctx, "sleep 0.1", note=steal)
    assert evidence.exit_code is None
    assert "the exit status was lost" in evidence.text


async def test_an_exit_status_that_a_tracer_still_holds_is_waited_for(
    make_ctx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, take = [True, True], os.waitpid
    monkeypatch.setattr(os, "waitpid", lambda *of: (0, 0) if held and held.pop() else take(*of))
    assert (await fail(make_ctx, "exit 9")).exit_code == 9
    assert not held


async def test_it_works_without_pidfd(make_ctx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    assert await succeed(make_ctx, "sleep 0.05; echo slow") == "slow\n"
    assert (await fail(make_ctx, "exit 9")).exit_code == 9


async def test_a_step_is_quick(make_ctx: Any) -> None:
    await run(make_ctx, "true")
    best = min([await _timed(make_ctx) for _ in range(20)])
    assert best < 0.1  # a pause anywhere on the way would show


async def _timed(make_ctx: Any) -> float:
    began = time.perf_counter()
    await run(make_ctx, "true")
    return time.perf_counter() - began


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("gh issue list", "gh"),
        ("/usr/bin/git push", "git"),
        ("TOKEN=x curl https://a.b", "curl"),
        ("echo hi", None),
        ("python3 report.py", None),
        ("for x in a; do b; done", None),
        ("set -x\ngh issue list", None),
        ("${{ inputs.program }} --x", None),
        ("it's", None),
        ("$PROGRAM x", None),
        ("", None),
    ],
)
def test_the_component_is_the_program(command: str, program: str | None) -> None:
    assert component({"command": command}) == program
