"""The checkpoint folder: making, finding, reading, listing, cleaning and forking tasks."""

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentrun.core import events as ev
from agentrun.core.failure import Category, Failure, Kind
from agentrun.core.state import apply
from agentrun.core.value import NOTHING
from agentrun.errors import Locked, NotWritable, StoreError, UsageError
from agentrun.store import cleaning, names
from agentrun.store.disk import Disk
from agentrun.store.fork import copy_until
from agentrun.store.manager import CheckpointManager
from agentrun.store.task import TaskStore
from agentrun.store.values import COPY
from agentrun.store.verify import verify
from tests.store.faulty_disk import FaultySystem
from tests.store.scenario import BIG, SUB, TEXT, started

DONE = ev.TaskSucceeded(NOTHING)
FAILED = ev.TaskFailed(Failure(Category.FATAL, Kind.CRASH, "it broke"))


@pytest.fixture
def manager(tmp_path: Path) -> CheckpointManager:
    return CheckpointManager(tmp_path / "above" / "checkpoints")


def make(
    manager: CheckpointManager, task_id: str, events: Sequence[ev.Event] = (), at: float = 1000.0
) -> None:
    with new(manager, task_id, at) as task:
        add(task, *events, at=at)


def new(manager: CheckpointManager, task_id: str, at: float = 1000.0) -> TaskStore:
    values = manager.new_values(task_id, {})
    first = started(values.put({"text": BIG}), at)
    return manager.create(task_id, TEXT, {"sub.yaml": SUB}, [first], values=values)


def add(task: TaskStore, *events: ev.Event, at: float = 1000.0) -> None:
    start = task.state.seq + 1
    records = [ev.Recorded(seq, at, event) for seq, event in enumerate(events, start)]
    task.append(records)
    for record in records:
        apply(task.state, record)


def test_a_task_is_made_and_opened_again(manager: CheckpointManager) -> None:
    task = new(manager, "t-1")
    add(task, ev.StepStarted("a", 1))
    assert task.workflow_text == TEXT
    assert task.sources == {"sub.yaml": SUB}
    assert task.seq == 2
    task.close()
    again = manager.open("t-1")
    assert again.state == task.state
    assert again.repairs == ()
    assert again.folder == Path(manager.root, "t-1")
    again.close()


def test_an_id_that_exists_is_refused_and_points_to_resume(manager: CheckpointManager) -> None:
    make(manager, "t-1")
    with pytest.raises(UsageError, match="task t-1 already") as told:
        make(manager, "t-1")
    assert "agentrun resume t-1" in told.value.hint


def test_a_race_for_one_id_has_one_winner(
    manager: CheckpointManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(manager, "t-1")
    monkeypatch.setattr(manager.disk.system, "lstat", _blind_to(f"{manager.root}/t-1"))
    with pytest.raises(UsageError, match="task t-1 already"):
        make(manager, "t-1")
    assert [name for name in os.listdir(manager.root) if name.startswith(".new")] == []


def _blind_to(path: str) -> object:
    def lstat(asked: str) -> os.stat_result:
        if asked == path:
            raise FileNotFoundError(asked)
        return os.lstat(asked)

    return lstat


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "../etc", "a/b", ".hidden", "a..b", "a b", "ä", "x" * 121, "a\0b", "a\n"]
)
def test_hostile_ids_are_refused(manager: CheckpointManager, bad: str) -> None:
    make(manager, "t-1")
    for use in (manager.open, manager.read, manager.resolve, lambda name: make(manager, name)):
        with pytest.raises(UsageError):
            use(bad)
    assert not names.is_task_id(bad)


def test_ids_are_resolved(manager: CheckpointManager) -> None:
    make(manager, "demo-1")
    make(manager, "demo-10")
    make(manager, "other-2")
    assert manager.resolve("demo-1") == "demo-1"
    assert manager.resolve("o") == "other-2"
    os.utime(f"{manager.root}/demo-10/journal.jsonl", (2e9, 2e9))
    assert manager.resolve("latest") == "demo-10"
    with pytest.raises(UsageError, match="beginning of 2 task ids: demo-1, demo-10"):
        manager.resolve("demo")
    with pytest.raises(UsageError) as told:
        manager.resolve("othr-2")
    assert "Did you mean other-2?" in told.value.hint


def test_a_missing_folder_is_told(manager: CheckpointManager) -> None:
    assert list(manager.list()) == []
    for use in (manager.resolve, manager.open, manager.read):
        with pytest.raises(UsageError, match="holds none") as told:
            use("latest")
        assert "--checkpoints" in told.value.hint
    assert not os.path.exists(manager.root)


def test_new_ids_are_made_of_the_name_and_the_time() -> None:
    assert names.new_task_id("triage", 1795454282.0, "k3fj") == "triage-20261123-171802-k3fj"
    for hostile in ("../../x", "", "..", "ä b/c", "x" * 500, "-", "a....b"):
        assert names.is_task_id(names.new_task_id(hostile, 0.0, "abcd"))


def test_an_id_that_a_task_has_is_not_drawn_again(manager: CheckpointManager) -> None:
    taken = names.new_task_id("triage", 0.0, "aaaa")
    make(manager, taken, [])
    drawn = iter(["aaaa", "aaaa", "bbbb"])
    assert manager.new_task_id("triage", 0.0, lambda: next(drawn)).endswith("-bbbb")


def test_reading_changes_nothing_on_disk(manager: CheckpointManager) -> None:
    make(manager, "t-1", [ev.StepStarted("a", 1)])
    path = Path(manager.root, "t-1", "journal.jsonl")
    path.write_bytes(path.read_bytes() + b'{"len": half a line')
    before = {
        found: found.read_bytes() for found in Path(manager.root).rglob("*") if found.is_file()
    }
    view = manager.read("t-1")
    assert view.state.seq == 2
    assert [record.seq for record in view.records] == [1, 2]
    assert view.state_at(1).steps == {}
    assert [finding.ok for finding in view.findings] == [False, True]
    assert view.workflow_text == TEXT
    assert view.sources == {"sub.yaml": SUB}
    assert not view.running
    after = {
        found: found.read_bytes() for found in Path(manager.root).rglob("*") if found.is_file()
    }
    assert after == before


def test_reading_beside_a_live_writer_is_no_damage(manager: CheckpointManager) -> None:
    task = new(manager, "t-1")
    path = Path(manager.root, "t-1", "journal.jsonl")
    with open(path, "ab") as file:
        file.write(b'{"len":     12')
    view = manager.read("t-1")
    assert view.running
    assert view.loss is None
    assert view.state.seq == 1
    task.close()


def test_tasks_are_listed_by_their_ends(manager: CheckpointManager) -> None:
    make(manager, "a", [DONE], at=2000.0)
    make(manager, "b", [FAILED])
    make(manager, "c", [ev.TaskPaused("quota", 75, "later")])
    make(manager, "d", [ev.StepStarted("s", 1)])
    make(manager, "e", [ev.TaskCancelled()])
    make(manager, "f", [ev.TaskInterrupted("SIGINT")])
    live = new(manager, "g")
    Path(manager.root, "h").mkdir(mode=0o700)
    found = {task.task_id: task for task in manager.list()}
    assert {key: task.status for key, task in found.items()} == {
        "a": "succeeded",
        "b": "failed",
        "c": "paused",
        "d": "interrupted",
        "e": "cancelled",
        "f": "interrupted",
        "g": "running",
        "h": "damaged",
    }
    assert (found["a"].workflow, found["a"].started, found["a"].updated) == ("demo", 2000.0, 2000.0)
    assert found["a"].progress_percentage == 100.0
    live.close()


def test_a_list_needs_the_second_copy_where_the_first_is_gone(manager: CheckpointManager) -> None:
    make(manager, "a", [DONE])
    os.unlink(f"{manager.root}/a/journal.jsonl")
    assert [task.status for task in manager.list()] == ["succeeded"]


def test_an_empty_journal_is_listed_as_damaged(manager: CheckpointManager) -> None:
    make(manager, "a")
    for name in ("journal.jsonl", "journal.mirror.jsonl"):
        Path(manager.root, "a", name).write_bytes(b"")
    assert [task.status for task in manager.list()] == ["damaged"]


def test_a_live_journal_with_room_written_ahead_is_listed(manager: CheckpointManager) -> None:
    task = new(manager, "a")
    add(task, *[ev.Warned("x" * 100)] * 200)
    assert Path(manager.root, "a", "journal.jsonl").read_bytes().endswith(b"\n\n")
    assert [found.status for found in manager.list()] == ["running"]
    task.close()


def test_long_lines_do_not_hide_a_task_from_the_list(manager: CheckpointManager) -> None:
    make(manager, "a", [ev.Warned("x" * 50_000)])
    make(manager, "b", [ev.StepStarted("s", 1)] * 1 + [ev.Warned("x" * 300)] * 200 + [DONE])
    assert [task.status for task in manager.list()] == ["interrupted", "succeeded"]


def test_progress_is_read_from_the_newest_snapshot(manager: CheckpointManager) -> None:
    with new(manager, "a") as task:
        for step in ("x", "y", "z"):
            add(task, ev.StepStarted(step, 1), ev.StepSucceeded(step, 1))
        task.snapshot(task.state)
    assert [task.progress_percentage for task in manager.list()] == [50.0]


def test_tasks_are_listed_by_few_calls_each() -> None:
    system = FaultySystem()
    manager = CheckpointManager("/checkpoints", Disk(system))
    for number in range(30):
        make(manager, f"t-{number}", [ev.StepStarted("a", 1)])
    before = system.calls
    assert len(list(manager.list())) == 30
    assert system.calls - before < 30 * 12


def test_cleaning_spares_what_runs_and_what_can_be_resumed(manager: CheckpointManager) -> None:
    for number in range(4):
        make(manager, f"done-{number}", [DONE], at=1000.0 + number)
    make(manager, "failed", [FAILED])
    held = new(manager, "held")
    add(held, DONE)
    found = cleaning.selected(manager, keep=1)
    assert {task.task_id for task in found} == {"done-0", "done-1", "done-2", "held"}
    found = cleaning.selected(manager, before=1002.0)
    gone = {task.task_id for task in cleaning.clean(manager, found)}
    assert gone == {"done-0", "done-1"}
    assert not cleaning.remove(manager, "held")
    assert not cleaning.remove(manager, "gone")
    assert manager.ids() == ["done-2", "done-3", "failed", "held"]
    named = cleaning.selected(manager, statuses={"failed"})
    assert [task.task_id for task in cleaning.clean(manager, named)] == ["failed"]
    held.close()


def test_a_full_disk_can_be_cleaned(
    manager: CheckpointManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(manager, "a", [DONE])

    def full(fd: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(manager.disk.system, "pwrite", full)
    assert cleaning.remove(manager, "a")
    assert manager.ids() == []


def test_retention_keeps_the_newest_successes_of_a_workflow(manager: CheckpointManager) -> None:
    for number in range(5):
        make(manager, f"demo-{number}", [DONE], at=1000.0 + number)
    make(manager, "demo-failed", [FAILED])
    make(manager, "mine", [DONE], at=1.0)
    assert cleaning.retain(manager, "demo", keep=10) == []
    assert cleaning.retain(manager, "demo", keep=2) == ["mine", "demo-0", "demo-1", "demo-2"]
    assert manager.ids() == ["demo-3", "demo-4", "demo-failed"]


def test_what_a_crash_left_half_made_or_half_removed_is_swept(manager: CheckpointManager) -> None:
    make(manager, "a", [DONE])
    for name in (".new-x-4194305", ".trash-y-4194305", f".new-z-{os.getpid()}"):
        Path(manager.root, name, "blobs").mkdir(parents=True)
    cleaning.sweep(manager)
    left = [name for name in os.listdir(manager.root) if name.startswith((".new", ".trash"))]
    assert left == [f".new-z-{os.getpid()}"]


def test_after_success_only_what_is_needed_stays(manager: CheckpointManager) -> None:
    with new(manager, "a") as task:
        (task.state_dir("x") / "memory").write_text("m")
        task.snapshot(task.state)
        add(task, DONE)
        task.snapshot(task.state)
        task.clean_after_success()
        assert not Path(task.folder, "state").exists()
        assert len(list(Path(task.folder, "snapshots").iterdir())) == 1
    with manager.open("a") as again:
        assert again.state_dir("x").is_dir()


def test_folders_of_steps_stay_inside_the_task(manager: CheckpointManager) -> None:
    with new(manager, "a") as task:
        assert task.log_path("sub/label[3]", 2) == task.folder / "logs/sub/label[3]/2.log"
        assert task.state_dir("label[3]") == task.folder / "state/label[3]"
        assert stat.S_IMODE(task.state_dir("x/y").parent.stat().st_mode) == 0o700
        assert task.log_path("sub/label[3]", 2) == manager.read("a").log_path("sub/label[3]", 2)
        for hostile in ("../../x", "/etc", "a/../../b", "..", "a\0b", "x" * 300):
            assert task.folder in task.state_dir(hostile).resolve().parents


def test_a_fork_begins_with_the_same_events(manager: CheckpointManager) -> None:
    with new(manager, "a") as task:
        add(task, ev.StepStarted("x", 1), ev.StepSucceeded("x", 1, task.values.put(BIG)), DONE)
    with copy_until(manager, "a", 3, "b") as fork:
        assert (fork.state.forked_from, fork.state.forked_at) == ("a", 3)
        assert fork.state.steps == manager.read("a").state_at(3).steps
        assert fork.state.steps["x"].output is not None
        assert fork.values.get(fork.state.steps["x"].output) == BIG
        assert fork.workflow_text == TEXT
        assert fork.sources == {"sub.yaml": SUB}
    cleaning.remove(manager, "a")
    assert all(finding.ok for finding in verify(manager.disk, manager.read("b")))
    with pytest.raises(UsageError, match="no record 9"):
        copy_until(manager, "b", 9, "c")


def test_another_definition_is_bound_and_pinned(manager: CheckpointManager) -> None:
    with new(manager, "a") as task:
        digest, sources = task.bind(b"name: other\n", {})
        add(task, ev.WorkflowChanged("demo", digest, "/other.yaml", steps_total=1, sources=sources))
        task.write_workflow()
        assert task.workflow_text == b"name: other\n"
    with manager.open("a") as again:
        assert again.workflow_text == b"name: other\n"
        assert again.repairs == ()


def test_verify_says_what_is_right_and_what_is_wrong(manager: CheckpointManager) -> None:
    with new(manager, "a") as task:
        add(task, ev.StepStarted("x", 1), ev.StepSucceeded("x", 1, task.values.put("z" * 9000)))
        task.snapshot(task.state)
    findings = verify(manager.disk, manager.read("a"))
    assert all(finding.ok for finding in findings)
    assert {finding.file.partition("/")[0] for finding in findings} == {
        "journal.jsonl",
        "journal.mirror.jsonl",
        "workflow.yaml",
        "blobs",
        "snapshots",
    }
    for path in [*Path(manager.root, "a").rglob("*")]:
        if not path.is_file() or path.name == "lock":
            continue
        whole = path.read_bytes()
        path.write_bytes(whole[:50] + b"\x01" + whole[51:])
        found = verify(manager.disk, manager.read("a"))
        wrong = [finding.file for finding in found if not finding.ok]
        name = str(path.relative_to(Path(manager.root, "a")))
        assert wrong == ([] if name.endswith(COPY) else [name]), path
        path.write_bytes(whole)


def test_verify_names_a_copy_that_is_gone_or_spoilt_and_says_where_one_helps(
    manager: CheckpointManager,
) -> None:
    with new(manager, "a") as task:
        add(task, ev.StepStarted("x", 1), ev.StepSucceeded("x", 1, task.values.put(BIG)))
    folder = Path(manager.root, "a")
    copy = next(path for path in folder.glob(f"blobs/*{COPY}") if BIG.encode() in path.read_bytes())
    blob = copy.with_suffix("")

    def said_of(path: Path) -> list[tuple[bool, str]]:
        found = verify(manager.disk, manager.read("a"))
        name = str(path.relative_to(folder))
        return [(each.ok, each.message) for each in found if each.file == name]

    whole = copy.read_bytes()
    assert said_of(copy) == []
    copy.write_bytes(b"")
    assert said_of(copy) == [(True, "is damaged; the value itself is whole")]
    copy.unlink()
    assert said_of(copy) == [(True, "is missing; the value itself is whole")]
    blob.write_bytes(b"")
    assert said_of(blob) == [(False, "is damaged; record 3 needs it")]
    copy.write_bytes(whole)
    assert said_of(blob) == [(False, "is damaged; record 3 needs it; its second copy is whole")]
    blob.unlink()
    assert said_of(blob) == [(False, "is missing; record 3 needs it; its second copy is whole")]


def test_a_fork_of_a_task_with_damaged_blobs_is_whole(manager: CheckpointManager) -> None:
    with new(manager, "a") as task:
        add(task, ev.StepStarted("x", 1), ev.StepSucceeded("x", 1, task.values.put(BIG)), DONE)
    blobs = [path for path in Path(manager.root, "a", "blobs").iterdir() if path.suffix != COPY]
    for path in blobs:
        path.write_bytes(b"")
    with copy_until(manager, "a", 3, "b") as fork:
        assert fork.sources == {"sub.yaml": SUB}
    assert all(path.read_bytes() == b"" for path in blobs), "what is forked is only read"
    said = {finding.file: finding.ok for finding in verify(manager.disk, manager.read("b"))}
    assert all(said.values())
    assert "blobs" in said
    assert len(list(Path(manager.root, "b", "blobs").iterdir())) == 2 * len(blobs)
    assert cleaning.remove(manager, "b")
    assert not Path(manager.root, "b").exists()


def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    real = CheckpointManager(tmp_path / "real")
    make(real, "a")
    os.symlink(tmp_path / "real", tmp_path / "link")
    linked = CheckpointManager(tmp_path / "link")
    for use in (linked.open, linked.read, linked.resolve, lambda name: make(linked, name)):
        with pytest.raises(StoreError, match="symbolic link") as told:
            use("a")
        assert str(tmp_path / "real") in told.value.hint
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="not a folder"):
        make(CheckpointManager(tmp_path / "file"), "a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    (tmp_path / "sealed").mkdir(mode=0o500)
    with pytest.raises(NotWritable, match="Permission denied"):
        make(CheckpointManager(tmp_path / "sealed" / "c"), "a")


def test_shared_files_are_changed_one_at_a_time(manager: CheckpointManager) -> None:
    assert manager.shared.read("breakers") == {}
    with manager.shared.update("breakers") as data:
        data["claude"] = {"failures": 1}
    assert manager.shared.read("breakers") == {"claude": {"failures": 1}}
    with pytest.raises(KeyError), manager.shared.update("breakers") as data:
        data["lost"] = data["missing"]
    assert manager.shared.read("breakers") == {"claude": {"failures": 1}}
    path = Path(manager.root, ".agentrun", "breakers.json")
    path.write_bytes(b"\xff[[[")
    assert manager.shared.read("breakers") == {}
    with manager.shared.update("breakers") as data:
        assert data == {}
        data["new"] = 1
    assert path.with_suffix(".json.damaged").read_bytes() == b"\xff[[["
    with pytest.raises(ValueError, match="would grow"), manager.shared.update("breakers") as data:
        data["x"] = "x" * (9 << 20)


def test_two_writers_of_one_task_are_one_too_many(manager: CheckpointManager) -> None:
    with new(manager, "a"), pytest.raises(Locked):
        manager.open("a")


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path / "c")
    make(manager, "a")
    real = manager.disk.system

    class Foreign:
        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

        def lstat(self, path: str) -> os.stat_result:
            found = list(real.lstat(path))
            found[stat.ST_UID] += 1
            return os.stat_result(found)

    manager.disk.system = Foreign()  # type: ignore[assignment]
    for use in (manager.open, manager.read, manager.resolve):
        with pytest.raises(StoreError, match="belongs to user"):
            use("a")
