"""What is promised of the files on disk: the layout, and promises 1 to 10."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import COMMAND, PATIENCE_S, Shop

STEPS = """\
name: my flow
steps:
  - {id: a, run: echo a | tee -a effects}
  - {id: each, for_each: [1, 2], run: 'echo ${{ item }} | tee -a effects'}
  - {id: big, run: 'head -c 300000 /dev/zero | tr "\\0" x'}
  - {id: b, run: 'echo b | tee -a effects; test -e fixed'}
  - {id: c, run: echo c | tee -a effects}
"""


def failed_task(shop: Shop, text: str = STEPS) -> Path:
    """Run a workflow that fails at `b`; return the folder of its task, `t`."""
    shop.write("w.yaml", text)
    assert shop("run", "w.yaml", "--task-id", "t").code == 1
    return shop.folder / "checkpoints/t"


def journal(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "journal.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock")


def begun(shop: Shop, *args: str, name: str = "begun") -> subprocess.Popen[bytes]:
    """Start agentrun and return once its step has made a file."""
    process = subprocess.Popen(
        [*COMMAND, *args],
        cwd=shop.folder,
        env=shop.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until((shop.folder / name).exists)
    return process


def until(holds: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- the layout -----------------------------------------------------------------------------------


def test_a_task_folder_is_named_as_told_and_0700(shop: Shop) -> None:
    shop.write("my flow.yaml", "steps: [{id: a, run: echo}]")
    before = datetime.now(UTC)
    assert subprocess.run([*COMMAND, "run", "my flow.yaml"], cwd=shop.folder, env=shop.env, check=False, capture_output=True, umask=0).returncode == 0  # fmt: skip
    (name,) = (path.name for path in (shop.folder / "checkpoints").glob("[!.]*"))
    found = re.fullmatch(r"my-flow-(\d{8}-\d{6})-([A-Za-z0-9]{4})", name)
    assert found, name
    moment = datetime.strptime(found[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    assert abs((moment - before).total_seconds()) < 60
    assert stat.S_IMODE((shop.folder / "checkpoints" / name).stat().st_mode) == 0o700
    for path in (shop.folder / "checkpoints").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("name", ["../up", ".hidden", "über", "a/b", "x" * 300, "  ", "-q"])
def test_any_workflow_name_makes_a_safe_task_id(shop: Shop, name: str) -> None:
    shop.write("w.yaml", f"name: {json.dumps(name)}\nsteps: [{{id: a, run: echo}}]")
    ran = shop("run", "w.yaml", "--json")
    assert ran.code in {0, 2}
    if ran.code == 0:
        assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", ran.id)
        assert (shop.folder / "checkpoints" / ran.id).is_dir()


def test_the_folder_holds_what_the_page_says(shop: Shop) -> None:
    folder = failed_task(shop)
    names = {path.name for path in folder.iterdir()}
    assert {"workflow.yaml", "journal.jsonl", "snapshots", "blobs", "logs"} <= names
    assert (folder.parent / ".agentrun").is_dir()
    logs = {str(path.relative_to(folder / "logs")) for path in files(folder / "logs")}
    assert {"a/1.log", "each[0]/1.log", "each[1]/1.log", "b/1.log"} <= logs
    assert (folder / "logs/a/1.log").read_text() == "a\n"


def test_workflow_yaml_is_as_written_and_its_sha256_in_the_first_event(shop: Shop) -> None:
    text = "# a comment\r\nname:   odd\n\n\nsteps: [{id: a, run: echo}] # é"
    (shop.folder / "w.yaml").write_bytes(text.encode())
    shop("run", "w.yaml", "--task-id", "t")
    folder = shop.folder / "checkpoints/t"
    data = (folder / "workflow.yaml").read_bytes()
    assert data == text.encode()
    assert sha256(data).hexdigest() in (folder / "journal.jsonl").read_text().splitlines()[0]


def test_the_journal_has_one_event_a_line_numbered_and_chained(shop: Shop) -> None:
    folder = failed_task(shop)
    events = journal(folder)
    assert [each["seq"] for each in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "task_started"
    assert events[-1]["type"] == "task_failed"
    assert all(datetime.fromisoformat(each["time"]).tzinfo for each in events)


def test_snapshots_are_task_checkpoints_named_by_time_and_seq(shop: Shop) -> None:
    folder = failed_task(shop)
    names = sorted(path.name for path in (folder / "snapshots").iterdir())
    assert names
    for name in names:
        assert re.fullmatch(r"\d{8}T\d{6}(\.\d+)?Z-\d+\.json", name), name
    found = json.loads((folder / "snapshots" / names[-1]).read_text())
    assert (found["task_id"], found["status"]) == ("t", "failed")
    assert isinstance(found["agent_context"], dict)
    assert isinstance(found["agent_memory"], dict)
    assert {"a", "each", "big"} <= set(found["intermediate_results"])
    assert found["progress_percentage"] == 60
    assert {"a", "each", "big"} <= set(found["dependencies_completed"])


def test_large_values_are_blobs_named_by_their_hash(shop: Shop) -> None:
    folder = failed_task(shop)
    sizes = {path.name: path.stat().st_size for path in (folder / "blobs").iterdir()}
    assert max(sizes.values()) >= 300_000
    for name in sizes:
        digest = name.removesuffix(".copy")
        assert sha256((folder / "blobs" / name).read_bytes()).hexdigest() == digest
    copied = {name.removesuffix(".copy") for name in sizes if name.endswith(".copy")}
    assert copied == {name for name, size in sizes.items() if size <= 65_536 and "." not in name}
    assert max(len(line) for line in (folder / "journal.jsonl").read_bytes().splitlines()) < 100_000


def test_a_torn_last_line_is_dropped_and_a_copy_kept(shop: Shop) -> None:
    folder = failed_task(shop)
    for name in ("journal.jsonl", "journal.mirror.jsonl"):
        path = folder / name
        path.write_bytes(path.read_bytes().rstrip(b"\n") + b'\n{"len":     520,"seq":99,"ti')
    shop.write("fixed", "")
    assert shop("resume", "t").code == 0
    assert sorted(shop.lines("effects")) == ["1", "2", "a", "b", "b", "c"]
    kept = [path for path in files(folder.parent) if b'"seq":99,"ti' in path.read_bytes()]
    assert kept


# --- promise 1: what succeeded is never run again -------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["a", "b", "c"])
def test_1_kill_9_then_resume_runs_no_finished_step_again(shop: Shop, moment: str) -> None:
    steps = [
        f"{{id: {s}, run: 'echo {s} >> effects; test {s} != {moment} -o -e killed || {{ touch killed; kill -9 $PPID; sleep 5; }}; cat effects'}}"
        for s in "abc"
    ]
    shop.write("w.yaml", f"steps: [{', '.join(steps)}]")
    shop("run", "w.yaml", "--task-id", "t")
    ran = shop("resume", "t")
    assert ran.code == 0
    effects = shop.lines("effects")
    assert [n for n in effects if n != moment] == [n for n in "abc" if n != moment]
    assert effects.count(moment) == 2
    assert shop("resume", "t").out == ran.out
    assert len(shop.lines("effects")) == 4


def test_1_an_edited_file_runs_nothing_again(shop: Shop) -> None:
    failed_task(shop)
    shop.write("w.yaml", STEPS.replace("echo a |", "echo CHANGED |"))
    shop.write("fixed", "")
    assert shop("resume", "t").out == "c\n"
    assert "CHANGED" not in shop.lines("effects")


# --- promise 2 ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_2_the_same_idempotency_key_after_a_kill_and_a_new_one_after_from(shop: Shop) -> None:
    shop.write(
        "w.yaml",
        """
        steps:
          - id: a
            run: |
              echo $AGENTRUN_IDEMPOTENCY_KEY >> keys
              test -e killed || { touch killed; kill -9 $PPID; sleep 5; }
    """,
    )
    shop("run", "w.yaml", "--task-id", "t")
    shop("resume", "t")
    shop("resume", "t", "--from", "a")
    first, second, third = shop.lines("keys")
    assert first == second != third
    assert first


# --- promise 4: one process a task ----------------------------------------------------------------


SLEEPS = "steps: [{id: a, run: 'echo x >> effects; touch begun; exec sleep 60'}]"


@pytest.mark.slow
def test_4_a_second_process_exits_4_and_is_told_who_holds_it(shop: Shop) -> None:
    shop.write("w.yaml", SLEEPS)
    first = begun(shop, "run", "w.yaml", "--task-id", "t")
    for command in (["resume", "t"], ["run", "w.yaml", "--task-id", "t", "--resume"]):
        ran = shop(*command)
        assert (ran.code, ran.out) == (4, "")
        assert f"process {first.pid}" in ran.err
    first.terminate()
    assert first.wait(30) == 143
    assert shop.lines("effects") == ["x"]


@pytest.mark.slow
def test_4_the_lock_of_a_dead_process_is_taken_over_and_what_it_left_is_ended(shop: Shop) -> None:
    shop.write(
        "w.yaml",
        "steps: [{id: a, run: 'test ! -e begun || exit 0; echo $$ > pid; touch begun; exec sleep 60'}]",
    )
    first = begun(shop, "run", "w.yaml", "--task-id", "t")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    left = int(shop.lines("pid")[0])
    assert shop("resume", "t").code == 0
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        assert " Z " in Path(f"/proc/{left}/stat").read_text()


# --- promise 5: secrets ---------------------------------------------------------------------------


def test_5_disk_holds_a_reference_to_a_secret_and_never_its_value(shop: Shop) -> None:
    shop.write(
        "w.yaml",
        """
        secrets: [TOKEN]
        steps:
          - {id: a, run: 'echo "it is $TOKEN"; echo "$TOKEN" >&2'}
          - {id: b, run: 'test -e fixed; echo "got ${{ steps.a.output }}"'}
    """,
    )
    value = "s3cr3t-value-123"
    ran = shop("run", "w.yaml", "--task-id", "t", "-v", TOKEN=value)
    assert ran.code == 1
    assert value not in ran.err
    assert value.encode() not in shop.disk()
    shop.write("fixed", "")
    ran = shop("resume", "t")
    assert ran.code == 2
    assert "TOKEN" in ran.err
    ran = shop("resume", "t", "-v", TOKEN=value)
    assert (ran.code, ran.out) == (0, f"got it is {value}\n")
    assert value.encode() not in shop.disk()
    for view in (["inspect", "t"], ["logs", "t"], ["debug", "t"], ["inspect", "t", "--step", "a"]):
        ran = shop(*view)
        assert ran.code == 0
        assert value not in ran.out + ran.err


def test_5_who_only_looks_needs_no_secret(shop: Shop) -> None:
    shop.write(
        "w.yaml",
        """
        secrets: [TOKEN]
        inputs: {x: {default: a}, y: {default: b}}
        steps:
          - {id: a, run: 'echo "t=$TOKEN"'}
          - {id: b, run: 'test "${{ steps.a.output }} ${{ inputs.y }}" = c'}
    """,
    )
    shop("run", "w.yaml", "--task-id", "t", "-i", "x=is s3cr3t-v4lue", TOKEN="s3cr3t-v4lue")
    environments: list[dict[str, Any]] = [{}, {"TOKEN": "s3cr3t-v4lue"}]
    for args in (
        ["debug", "t"],
        ["debug", "t", "--report", "md"],
        ["debug", "t", "--json"],
        ["inspect", "t", "--step", "a"],
        ["resume", "t", "--plan"],
    ):
        for env in environments:
            ran = shop(*args, **env)
            assert ran.code == 0, ran.err
            assert "s3cr3t-v4lue" not in ran.out
    assert shop("resume", "t", "--plan", "--set", "y=c", TOKEN="s3cr3t-v4lue").code == 0
    stubbed = shop("run", "w.yaml", "--stub", "t", "--json")
    assert stubbed.json["steps"]["a"]["status"] == "succeeded", stubbed.err


def test_5_a_task_folder_appears_complete_or_not_at_all(shop: Shop) -> None:
    shop.write("w.yaml", "secrets: [NOT_SET_ANYWHERE]\nsteps: [{id: a, run: echo}]")
    assert shop("run", "w.yaml").code == 2
    assert not list(shop.folder.glob("checkpoints/*"))


# --- promise 6: edited workflows ------------------------------------------------------------------


@pytest.mark.slow
def test_6_resume_workflow_says_per_step_what_is_reused_and_why_before_anything_runs(
    shop: Shop,
) -> None:
    failed_task(shop)
    shop.write("fixed", "")
    edited = STEPS.replace("echo c |", "echo C |").replace(
        "  - {id: a,", "  - {id: new, run: echo new | tee -a effects}\n  - {id: a,"
    )
    shop.write("edited.yaml", edited)
    plan = shop("resume", "t", "--workflow", "edited.yaml", "--plan")
    assert plan.code == 0
    assert len(shop.lines("effects")) == 4
    for step in ("new", "a", "each", "big", "b", "c"):
        assert re.search(rf"\b{step}\b", plan.out), plan.out
    ran = shop("resume", "t", "--workflow", "edited.yaml")
    assert (ran.code, ran.out) == (0, "C\n")
    told = ran.err[: ran.err.index("new  started")]
    assert re.search(r"reuse +a\b", told)
    assert re.search(r"run +new\b.*it is new", told)
    assert re.search(r"run +c\b.*its definition has changed", told)
    for step in ("new", "a", "each", "big", "b", "c"):
        assert re.search(rf"\b{step}\b", told), told
    assert shop.lines("effects").count("a") == 1
    assert shop("inspect", "t", "--verify").code == 0


def test_6_a_resume_with_a_bad_workflow_changes_nothing(shop: Shop) -> None:
    failed_task(shop)
    before = shop.disk()
    shop.write("bad.yaml", "steps: [{id: a, ruun: x}]")
    assert shop("resume", "t", "--workflow", "bad.yaml").code == 2
    assert shop("resume", "t", "--workflow", "none.yaml").code == 2
    assert shop.disk() == before


# --- promise 8: damage ----------------------------------------------------------------------------


def test_8_all_snapshots_may_be_deleted(shop: Shop) -> None:
    folder = failed_task(shop)
    shutil.rmtree(folder / "snapshots")
    assert shop("inspect", "t", "--json").json["steps"]["a"]["status"] == "succeeded"
    shop.write("fixed", "")
    assert shop("resume", "t").out == "c\n"
    assert sorted(shop.lines("effects")) == ["1", "2", "a", "b", "b", "c"]


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "delete"])
def test_8_any_single_damaged_file_is_repaired_or_refused_loudly(shop: Shop, damage: str) -> None:
    folder = failed_task(shop)
    shop.write("fixed", "")
    whole = shop.folder / "whole"
    shutil.copytree(folder.parent, whole)
    effects = (shop.folder / "effects").read_bytes()
    for path in [path.relative_to(folder) for path in files(folder)]:
        shutil.rmtree(folder.parent)
        shutil.copytree(whole, folder.parent)
        (shop.folder / "effects").write_bytes(effects)
        _damage(folder / path, damage)
        ran = shop("resume", "t")
        assert ran.code in {0, 4}, (path, ran.err)
        if ran.code == 4:
            assert str(path) in ran.err, (path, ran.err)
            assert (shop.folder / "effects").read_bytes() == effects
            assert shop("inspect", "t", "--verify").code == 4
        else:
            assert ran.out == "c\n"
            assert sorted(shop.lines("effects")) == ["1", "2", "a", "b", "b", "c"], path


def _damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    match how:
        case "delete":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "truncate":
            path.write_bytes(data[: len(data) // 2])
        case _:
            if data:
                data[len(data) // 3] ^= 0x20
            path.write_bytes(data)


def test_8_a_journal_that_is_damaged_twice_is_refused_with_file_offset_and_loss(
    shop: Shop,
) -> None:
    folder = failed_task(shop)
    shutil.rmtree(folder / "snapshots")
    for name in ("journal.jsonl", "journal.mirror.jsonl"):
        _damage(folder / name, "flip")
    for command in (["resume", "t"], ["inspect", "t", "--verify"]):
        ran = shop(*command)
        assert ran.code == 4
        told = ran.out + ran.err
        assert "journal.jsonl" in told
        assert re.search(r"\d", told)
    assert len(shop.lines("effects")) == 4


def test_8_a_task_of_which_no_event_is_left_is_refused_by_all_who_look(shop: Shop) -> None:
    folder = failed_task(shop)
    shutil.rmtree(folder / "snapshots")
    for name in ("journal.jsonl", "journal.mirror.jsonl"):
        data = bytearray((folder / name).read_bytes())
        data[60] ^= 0x20
        (folder / name).write_bytes(data)
    for command in ("resume", "inspect", "debug", "logs"):
        ran = shop(command, "t")
        assert (ran.code, ran.out) == (4, ""), command
        assert "journal.jsonl: damaged at byte 0" in ran.err, command
        assert "agentrun inspect t --verify" in ran.err
    assert shop("inspect", "t", "--verify").code == 4
    assert shop("fork", "t").code == 4
    assert "damaged" in shop("list").out


# --- promise 9 ------------------------------------------------------------------------------------


@contextlib.contextmanager
def immutable(folder: Path) -> Iterator[None]:
    """Take from everybody, root too, the right to write into a folder."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)
        return
    get, put, flag = 0x80086601, 0x40086602, 0x10
    fd = os.open(folder, os.O_RDONLY)
    try:
        try:
            (old,) = struct.unpack("L", fcntl.ioctl(fd, get, struct.pack("L", 0)))
            fcntl.ioctl(fd, put, struct.pack("L", old | flag))
        except OSError as error:
            pytest.skip(f"root can't be kept from writing here: {error}")
        try:
            yield
        finally:
            fcntl.ioctl(fd, put, struct.pack("L", old))
    finally:
        os.close(fd)


def test_9_a_read_only_checkpoint_folder_ends_with_4_and_loses_nothing(shop: Shop) -> None:
    folder = failed_task(shop)
    shop.write("fixed", "")
    with immutable(folder.parent):
        ran = shop("run", "w.yaml")
        assert (ran.code, ran.out) == (4, "")
        assert "checkpoints" in ran.err
        assert shop("list").code == 0
        assert shop("inspect", "t").code == 0
    assert shop("resume", "t").out == "c\n"


def test_9_a_read_only_task_folder(shop: Shop) -> None:
    folder = failed_task(shop)
    shop.write("fixed", "")
    with immutable(folder), immutable(folder / "snapshots"), immutable(folder / "logs"):
        ran = shop("resume", "t")
        assert ran.code == 4
        assert "checkpoints/t" in ran.err
        assert shop("inspect", "t").code == 0
    assert shop("resume", "t").out == "c\n"


# --- promise 10: what is kept ---------------------------------------------------------------------


@pytest.mark.slow
def test_10_the_newest_successes_are_kept_and_failed_tasks_never_removed(shop: Shop) -> None:
    shop.write("w.yaml", "retention: 2\nsteps: [{id: a, run: test ! -e broken}]")
    made: dict[str, list[str]] = {"ok": [], "bad": []}
    for kind in ("bad", "ok", "ok", "bad", "ok", "ok"):
        (shop.folder / "broken").touch() if kind == "bad" else (shop.folder / "broken").unlink(
            missing_ok=True
        )
        made[kind].append(shop("run", "w.yaml", "--json").id)
    left = {path.name for path in (shop.folder / "checkpoints").glob("[!.]*")}
    assert left == {*made["bad"], *made["ok"][2:]}


def test_10_after_success_superseded_snapshots_and_state_folders_are_cleaned(shop: Shop) -> None:
    failed_task(shop, STEPS.replace("echo c |", 'echo x > "$AGENTRUN_STATE_DIR/memory"; echo c |'))
    shop.write("fixed", "")
    assert shop("resume", "t").code == 0
    folder = shop.folder / "checkpoints/t"
    assert len(list((folder / "snapshots").iterdir())) <= 1
    assert not list(folder.rglob("memory"))
    assert (folder / "logs/c/1.log").exists()
    assert (folder / "journal.jsonl").exists()
    assert list((folder / "blobs").iterdir())


def test_an_attempt_that_prints_what_is_not_utf_8_or_very_much(shop: Shop) -> None:
    shop.write(
        "w.yaml",
        "steps: [{id: a, run: 'head -c 60000000 /dev/zero; printf \"\\\\xff\\\\xfe\"; exit 1'}]",
    )
    ran = shop("run", "w.yaml", "--task-id", "t", "--json")
    assert ran.code == 1
    size = sum(path.stat().st_size for path in files(shop.folder / "checkpoints/t"))
    assert size < 40_000_000
    assert shop("inspect", "t").code == shop("debug", "t").code == 0


def test_half_of_a_surrogate_pair_ends_no_task(shop: Shop) -> None:
    """It comes from JSON, from functions, and from bytes that are no UTF-8."""
    shop.write("half.json", '["\\ud800"]')
    shop.write(
        "half.py",
        """
        def value(): return {"\\udfff": "a\\ud800"}
        def wrong(): raise ValueError("\\ud800")
    """,
    )
    flow = "w.yaml"
    shop.write(
        flow,
        """
        secrets: [TOKEN]
        steps:
          - {id: a, run: cat half.json, output: json}
          - {id: b, python: 'half.py:value'}
          - id: c
            python: half.py:wrong
            retry: {max_attempts: 2, delay: 1ms, on: [any]}
            continue_on_error: true
          - {id: d, approval: "sure? ${{ env.HALF }}"}
        outputs: ["${{ steps.a.output }}", "${{ steps.b.output }}"]
    """,
    )
    env: dict[str, Any] = {"HALF": "\udcff", "TOKEN": "hunter\udcff2"}
    ran = shop("run", flow, "--task-id", "t", "--json", "--events", "e", **env)
    assert ran.code == 3, ran.err
    done = shop("resume", "t", "--answer", "d=approve", "--json", **env)
    assert done.code == 0, done.err
    assert done.json["outputs"] == [["\ud800"], {"\udfff": "a\ud800"}]
    assert shop("inspect", "t", "--verify").code == 0
    shop("run", flow, "--task-id", "u", **env)
    assert shop("cancel", "u", "--reason", "\udcff").code == 0


def test_an_input_that_is_no_utf_8_is_refused(shop: Shop) -> None:
    shop.write("w.yaml", "inputs: {v: {}}\nsteps: [{id: a, run: 'echo ${{ inputs.v }}'}]")
    refused = shop("run", "w.yaml", "-i", "v=\udcff")
    assert (refused.code, "`v` must be UTF-8" in refused.err) == (2, True)
