"""A small task as the runner would drive it, and the oracle that remembers what was acknowledged.

The oracle stands outside the store: a seq enters it when `append` has returned. Whatever happens to
the disk, all of it must be there afterwards, and nothing that was never tried.
"""

from hashlib import sha256
from random import Random

from agentrun.core import events as ev
from agentrun.core.state import apply, replay
from agentrun.core.value import Value
from agentrun.store import host
from agentrun.store.disk import Disk
from agentrun.store.manager import CheckpointManager
from agentrun.store.task import TaskStore
from tests.store.faulty_disk import FaultySystem

ROOT = "/home/checkpoints"
TASK = "demo-20261123-173122-abcd"
TEXT = b"name: demo\nsteps: []\n"
SUB = "name: sub\n"
STEPS = 6
BIG = "x" * 5000


def started(inputs: Value, time: float = 1000.0) -> ev.Recorded:
    event = ev.TaskStarted(
        workflow="demo",
        workflow_sha256=sha256(TEXT).hexdigest(),
        workflow_path="/demo.yaml",
        cwd="/",
        inputs=inputs,
        holder=host.this_process(1),
        max_parallel=2,
        version="0",
        sources={"sub.yaml": sha256(SUB.encode()).hexdigest()},
        steps_total=STEPS,
    )
    return ev.Recorded(1, time, event)


class Oracle:
    """What the world was told. `tried` may be there too; nothing else may."""

    def __init__(self) -> None:
        self.acknowledged: dict[int, ev.Event] = {}
        self.tried: dict[int, list[ev.Event]] = {}

    def trying(self, records: list[ev.Recorded]) -> None:
        for record in records:
            self.tried.setdefault(record.seq, []).append(record.event)

    def acknowledge(self, records: list[ev.Recorded]) -> None:
        self.acknowledged.update((record.seq, record.event) for record in records)

    def check(self, records: list[ev.Recorded]) -> None:
        there = {record.seq: record.event for record in records}
        for seq, event in self.acknowledged.items():
            assert there.get(seq) == event, f"acknowledged event {seq} is lost"
        for seq, event in there.items():
            assert event in self.tried[seq], f"event {seq} was never written"


class Driver:
    """Runs the task on a system until it has succeeded, or something stops it."""

    def __init__(self, system: FaultySystem, oracle: Oracle, seed: int = 0) -> None:
        self.manager = CheckpointManager(ROOT, Disk(system))
        self.system, self.oracle, self.random = system, oracle, Random(seed)
        self.task: TaskStore | None = None

    def run(self) -> None:
        task = self.task = self.opened()
        try:
            self.check_opened(task)
            while self.advance(task):
                pass
            if task.state.status == "succeeded":
                task.clean_after_success()
        finally:
            task.close()

    def opened(self) -> TaskStore:
        if TASK in self.manager.ids():
            return self.manager.open(TASK)
        assert not self.oracle.acknowledged, "the task is gone"
        values = self.manager.new_values(TASK, {})
        first = [started(values.put({"text": BIG}))]
        self.oracle.trying(first)
        task = self.manager.create(TASK, TEXT, {"sub.yaml": SUB}, first, values=values)
        self.oracle.acknowledge(first)
        return task

    def check_opened(self, task: TaskStore) -> None:
        """The state is the fold of what is on disk, and every value is there."""
        view = self.manager.read(TASK)
        self.oracle.check(view.records)
        assert replay(TASK, view.records) == task.state
        assert task.workflow_text == TEXT
        assert task.sources == {"sub.yaml": SUB}
        for step in task.state.steps.values():
            if step.output is not None:
                task.values.get(step.output)

    def advance(self, task: TaskStore) -> bool:
        """Take one turn of the loop: a batch of events, durable at once."""
        state = task.state
        if state.ending is not None:
            return False
        events = self.batch(task)
        time = 1000.0 + state.seq
        records = [ev.Recorded(state.seq + n, time, event) for n, event in enumerate(events, 1)]
        self.oracle.trying(records)
        task.append(records)
        self.oracle.acknowledge(records)
        for record in records:
            apply(state, record)
        if self.random.random() < 0.3 or state.ending is not None:
            task.snapshot(state)
        return True

    def batch(self, task: TaskStore) -> list[ev.Event]:
        done = [key for key, step in task.state.steps.items() if step.status == "succeeded"]
        if len(done) == STEPS:
            return [ev.TaskSucceeded(outputs=task.values.put(BIG))]
        step = f"s{len(done)}"
        events: list[ev.Event] = []
        known = task.state.steps.get(step)
        if known is None or known.status != "running":
            events.append(ev.StepStarted(step=step, attempt=1 + (known.attempts if known else 0)))
        if self.random.random() < 0.6 or not events:
            text = BIG + step if self.random.random() < 0.3 else "y" * self.random.randint(0, 900)
            output = task.values.put({"step": step, "text": text})
            events.append(ev.StepSucceeded(step=step, attempt=1, output=output))
        if self.random.random() < 0.3:
            events.append(ev.Warned("w" * self.random.randint(0, 1500)))
        return events
