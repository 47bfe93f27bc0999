"""Snapshots: a shortcut that changes nothing, whose price does not grow with the task."""

from random import Random

import msgspec
import pytest

from agentrun.core import events as ev
from agentrun.core.outcome import Usage
from agentrun.core.state import TaskState, apply, replay
from agentrun.core.value import Inline
from agentrun.store import record
from agentrun.store.snapshots import (
    SEAL_BYTES,
    TaskCheckpoint,
    found_in,
    is_due,
    parts_of,
)
from agentrun.store.task import TaskStore
from tests.store.faulty_disk import FaultySystem
from tests.store.scenario import ROOT, TASK, Driver, Oracle

SNAPSHOTS = f"{ROOT}/{TASK}/snapshots"


class Made:
    """A task of many steps on a disk in memory."""

    def __init__(self, steps: int) -> None:
        self.system, self.oracle = FaultySystem(), Oracle()
        self.driver = Driver(self.system, self.oracle)
        self.task = self.driver.opened()
        for number in range(steps):
            self.add(
                ev.StepStarted(f"s{number}", 1),
                ev.SessionNoted(f"s{number}", 1, f"session-{number}"),
                ev.TurnNoted(f"s{number}", 1, self.task.values.put([1, 2]), Usage(10, 5)),
                ev.StepSucceeded(f"s{number}", 1, self.task.values.put({"n": number})),
            )

    def add(self, *events: ev.Event) -> None:
        state = self.task.state
        time = 1000.0 + state.seq
        records = [ev.Recorded(state.seq + n, time, event) for n, event in enumerate(events, 1)]
        self.oracle.trying(records)
        self.task.append(records)
        self.oracle.acknowledge(records)
        for recorded in records:
            apply(state, recorded)

    def names(self) -> list[str]:
        return [path for path in self.system.paths() if path.startswith(SNAPSHOTS)]

    def reopened(self) -> TaskStore:
        self.task.close()
        self.task = self.driver.opened()
        self.driver.check_opened(self.task)
        return self.task


def test_a_snapshot_and_what_came_after_is_the_whole_state() -> None:
    made = Made(5)
    made.task.snapshot(made.task.state)
    made.add(ev.StepStarted("late", 1))
    before = made.task.state
    made.reopened()
    assert made.task.state == before
    for path in made.names():
        made.system.unlink(path)
    made.reopened()
    assert made.task.state == before


def test_what_is_said_twice_in_a_checkpoint_stands_in_it_once() -> None:
    made = Made(3)
    made.add(ev.StepStarted("open", 1), ev.SessionNoted("open", 1, "session-open"))
    state = made.task.state
    made.task.snapshot(state)
    (path,) = made.names()
    text = made.system.content(path)
    assert text.count(b"session-2") == 1
    assert text.count(b'{"n":2}') == 1
    read = msgspec.json.decode(text, type=TaskCheckpoint)
    assert read.task_id == TASK
    assert read.status == "running"
    assert read.progress_percentage == 50.0
    assert read.dependencies_completed == ["s0", "s1", "s2"]
    assert list(read.intermediate_results) == ["s0", "s1", "s2"]
    assert read.agent_memory["open"].session == "session-open"
    assert read.agent_context.tokens == 45
    assert read.restored() == state


def test_making_a_checkpoint_does_not_change_the_state() -> None:
    made = Made(3)
    state = made.task.state
    before = msgspec.json.encode(state)
    parts_of(state, made.task._journal.anchor(), lambda body: body)
    assert msgspec.json.encode(state) == before


def test_what_looks_like_the_steps_of_a_checkpoint_is_not_taken_for_them() -> None:
    made = Made(1)
    made.add(ev.InputsChanged(Inline({"steps": {"": {}}}), ("it",)), ev.Warned('"steps":{"":{}}'))
    made.task.snapshot(made.task.state)
    read = msgspec.json.decode(made.system.content(made.names()[0]), type=TaskCheckpoint)
    assert read.restored() == made.task.state


def test_of_all_snapshots_two_stay() -> None:
    made = Made(1)
    for number in range(5):
        made.add(ev.Warned(str(number)))
        made.task.snapshot(made.task.state)
    assert [
        found.seq for found in found_in([name.rpartition("/")[2] for name in made.names()])
    ] == [
        10,
        9,
    ]


def test_the_price_of_snapshots_is_in_proportion_to_the_events() -> None:
    for events in (1_000, 10_000, 100_000):
        last, written = 0, 0
        for seq in range(1, events + 1):
            if is_due(seq, last):
                last, written = seq, written + seq
        assert written <= 5 * events
        assert events - last <= events / 4


def test_a_resume_reads_the_events_after_the_snapshot_only() -> None:
    made = Made(50)
    made.task.snapshot(made.task.state)
    made.add(ev.Warned("after"))
    made.task.close()
    read: list[int] = []
    found = record.decode

    def counted(line: bytes) -> ev.Recorded:
        read.append(1)
        return found(line)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agentrun.store.recovery.decode", counted)
        made.driver.manager.open(TASK).close()
    assert len(read) == 1


def test_a_snapshot_whose_journal_was_damaged_before_it_is_not_relied_on() -> None:
    made = Made(5)
    made.task.snapshot(made.task.state)
    state = made.task.state
    made.task.close()
    for name in ("journal.jsonl", "journal.mirror.jsonl"):
        path = f"{ROOT}/{TASK}/{name}"
        data = made.system.content(path)
        made.system.set_content(path, data.replace(b"session-1", b"session-x"))
        made.task = made.driver.opened()
        assert made.task.state == state
        assert len(made.task.repairs) == 1
        made.task.close()
        assert made.system.content(path) == data


def test_a_snapshot_of_another_task_or_version_is_not_relied_on() -> None:
    made = Made(2)
    made.task.snapshot(made.task.state)
    (path,) = made.names()
    body = made.system.content(path)[:-SEAL_BYTES]
    from hashlib import sha256

    for old, new in ((b'"task_id":"demo', b'"task_id":"nomo'), (b'"version":"', b'"version":"9')):
        changed = body.replace(old, new)
        assert changed != body
        seal = b',"sha256":"%s"}\n' % sha256(changed).hexdigest().encode()
        made.system.close(made.system.open(path, 0o102))
        made.system.set_content(path, changed + seal)
        made.reopened()
        assert made.task._snapshot_seq == 0


@pytest.mark.parametrize("seed", range(20))
def test_replay_is_the_fold_wherever_the_snapshot_stands(seed: int) -> None:
    random = Random(seed)
    made = Made(random.randint(0, 5))
    while random.random() < 0.8:
        made.add(ev.Warned(str(random.random())))
        if random.random() < 0.4:
            made.task.snapshot(made.task.state)
        if random.random() < 0.3:
            made.reopened()
    view = made.driver.manager.read(TASK)
    assert view.state == made.task.state == replay(TASK, view.records)
    assert isinstance(view.state, TaskState)


def test_a_snapshot_of_what_is_not_durable_yet_is_a_mistake() -> None:
    made = Made(1)
    state = msgspec.structs.replace(made.task.state, seq=99)
    with pytest.raises(AssertionError, match="the state is at 99"):
        made.task.snapshot(state)
