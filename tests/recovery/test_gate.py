"""Limits, breakers and pauses, shared by all processes of a folder; on a clock of our own."""

import heapq
import multiprocessing
import os
import random
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from agentrun.core.decision import Retry
from agentrun.core.failure import CATEGORY_OF, Failure, Kind
from agentrun.core.model import BreakerPolicy, Limit, Step
from agentrun.core.state import StepState, TaskState
from agentrun.recovery.gate import Admitted, Gate, NotYet
from agentrun.recovery.limits import Pace, called, free_at, paused_until, slowed
from agentrun.recovery.policy import decide

NOW = 1_000_000.0
POLICY = BreakerPolicy(failures=3, window_s=60, cooldown_s=30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / ".agentrun"


def failed(kind: Kind, retry_after_s: float | None = None) -> Failure:
    return Failure(CATEGORY_OF[kind], kind, "", retry_after_s=retry_after_s)


def admitted(gate: Gate, now: float) -> Admitted:
    answer = gate.admit("api", now)
    assert isinstance(answer, Admitted), answer
    return answer


def refused(gate: Gate, now: float) -> NotYet:
    answer = gate.admit("api", now)
    assert isinstance(answer, NotYet)
    return answer


def open_breaker(gate: Gate, now: float = NOW) -> None:
    for _ in range(POLICY.failures):
        admitted(gate, now).release(failed(Kind.NETWORK), now)


def gate_of(folder: Path, **limit: float) -> Gate:
    limits = {"api": Limit(**limit)} if limit else {}  # type: ignore[arg-type]
    return Gate(folder, limits, {"api": POLICY})


# --- the hot path ---------------------------------------------------------------------------------


def test_a_component_that_only_works_leaves_no_file(folder: Path) -> None:
    gate = gate_of(folder)
    for number in range(100):
        admitted(gate, NOW + number).release(None, NOW + number)
    assert not folder.exists()


def test_failures_of_the_step_itself_leave_no_file(folder: Path) -> None:
    gate = gate_of(folder)
    admitted(gate, NOW).release(failed(Kind.LOGIC), NOW)
    assert not folder.exists()


# --- breaker --------------------------------------------------------------------------------------


def test_a_breaker_opened_by_one_process_stops_another(folder: Path) -> None:
    open_breaker(gate_of(folder))
    answer = refused(gate_of(folder), NOW + 1)
    assert (answer.cause, answer.until, answer.park) == ("breaker", NOW + 30, False)


def test_exactly_one_probe_goes_out_after_the_cooldown(folder: Path) -> None:
    gates = [gate_of(folder) for _ in range(5)]
    open_breaker(gates[0])
    answers = [gate.admit("api", NOW + 30) for gate in gates for _ in range(3)]
    assert sum(isinstance(answer, Admitted) for answer in answers) == 1


def test_a_probe_that_works_lets_everybody_in(folder: Path) -> None:
    one, other = gate_of(folder), gate_of(folder)
    open_breaker(one)
    probe = admitted(one, NOW + 30)
    refused(other, NOW + 30)
    probe.release(None, NOW + 31)
    admitted(other, NOW + 31)


def test_a_probe_that_fails_keeps_everybody_out_for_another_cooldown(folder: Path) -> None:
    one, other = gate_of(folder), gate_of(folder)
    open_breaker(one)
    admitted(one, NOW + 30).release(failed(Kind.OVERLOADED), NOW + 31)
    assert refused(other, NOW + 32).until == NOW + 61


def test_a_probe_that_was_cut_off_makes_room_for_the_next(folder: Path) -> None:
    gate = gate_of(folder)
    open_breaker(gate)
    admitted(gate, NOW + 30).release(failed(Kind.CANCELLED), NOW + 31)
    admitted(gate, NOW + 31)


def test_a_component_that_stays_down_is_not_waited_for(folder: Path) -> None:
    gate = gate_of(folder)
    open_breaker(gate)
    for probe in (30, 60, 90):
        admitted(gate, NOW + probe).release(failed(Kind.NETWORK), NOW + probe)
    assert refused(gate, NOW + 91).park


def test_a_cooldown_may_be_long(folder: Path) -> None:
    gate = Gate(folder, {}, {"api": BreakerPolicy(failures=1, cooldown_s=3600)})
    admitted(gate, NOW).release(failed(Kind.NETWORK), NOW)
    assert refused(gate, NOW).until == NOW + 3600


def test_five_failures_open_the_breaker_of_a_component_without_an_entry(folder: Path) -> None:
    gate = Gate(folder, {}, {})
    for _ in range(5):
        admitted(gate, NOW).release(failed(Kind.TIMEOUT), NOW)
    assert refused(gate, NOW).until == NOW + 30


def test_rubbish_in_the_shared_file_counts_as_nothing_known(folder: Path) -> None:
    gate = gate_of(folder)
    open_breaker(gate)
    (path,) = folder.glob("component-*.json")
    for rubbish in (b"", b"{", b"[1]", b'{"memory": 7}', b'{"memory": {"opened_at": "x"}}'):
        path.write_bytes(rubbish)
        admitted(gate_of(folder), NOW).release(failed(Kind.NETWORK), NOW)
        path.unlink()


def test_a_folder_that_cannot_be_written_still_trips_the_breaker_of_this_process(
    tmp_path: Path,
) -> None:
    (tmp_path / "checkpoints").write_text("a file in the way")
    gate = gate_of(tmp_path / "checkpoints" / ".agentrun")
    open_breaker(gate)
    refused(gate, NOW)


# --- limits ---------------------------------------------------------------------------------------


def test_places_are_shared_by_all_processes(folder: Path) -> None:
    one, other = gate_of(folder, concurrency=2), gate_of(folder, concurrency=2)
    place = admitted(one, NOW)
    admitted(other, NOW)
    assert refused(one, NOW).cause == "limit"
    place.release(None, NOW)
    admitted(other, NOW)


def test_a_rate_is_shared_by_all_processes(folder: Path) -> None:
    gates = [gate_of(folder, rate=10, per_s=1) for _ in range(2)]
    calls = 0
    for tick in range(1000):
        answer = gates[tick % 2].admit("api", NOW + tick / 100)
        if isinstance(answer, Admitted):
            calls += 1
            answer.release(None, NOW + tick / 100)
    assert 88 <= calls <= 101


def test_no_window_ever_holds_more_calls_than_the_rate_allows(folder: Path) -> None:
    gate = gate_of(folder, rate=50, per_s=60)
    times = []
    for tick in range(2000):
        now = NOW + tick / 10
        if isinstance(answer := gate.admit("api", now), Admitted):
            times.append(now)
            answer.release(None, now)
    assert max(sum(t <= u < t + 60 for u in times) for t in times) <= 50
    assert len(times) > 0.85 * 50 * 200 / 60


def test_a_clock_that_was_set_back_blocks_nobody(folder: Path) -> None:
    gate = gate_of(folder, rate=1, per_s=60)
    admitted(gate, NOW).release(failed(Kind.RATE_LIMIT, 5.0), NOW)
    assert refused(gate, NOW - 100_000).until <= NOW - 100_000 + 60 / 0.7


def test_a_rate_limit_makes_the_whole_component_wait_as_long_as_it_asks(folder: Path) -> None:
    one, other = gate_of(folder), gate_of(folder)
    admitted(one, NOW).release(failed(Kind.RATE_LIMIT, 20.0), NOW)
    answer = refused(other, NOW + 5)
    assert (answer.cause, answer.until, answer.park) == ("rate_limit", NOW + 20, False)
    admitted(other, NOW + 20)


def test_a_server_that_refuses_at_random_brings_nobody_to_a_standstill(folder: Path) -> None:
    gate, now = gate_of(folder), NOW
    for _ in range(10):
        admitted(gate, now).release(failed(Kind.RATE_LIMIT, 2.0), now + 0.1)
        now = refused(gate, now + 0.1).until
    assert now - NOW < 10 * 3


def test_refusals_without_a_time_leave_a_call_every_five_seconds() -> None:
    pace, now, calls = Pace(), NOW, [NOW]
    for _ in range(20):
        pace = called(pace, Limit(), now)
        pace = slowed(pace, Limit(), now, now, None)
        now = max(paused_until(pace, now), free_at(pace, Limit(), now))
        calls.append(now)
    gaps = [after - before for before, after in pairwise(calls)]
    assert max(gaps) == pytest.approx(5.0)


def test_a_complaint_never_makes_a_slow_component_faster() -> None:
    three_a_minute = Limit(rate=3, per_s=60)
    pace = slowed(Pace(), three_a_minute, NOW, NOW, None)
    for wait_s in (None, 1.0):
        again = slowed(pace, three_a_minute, NOW + 5, NOW + 4, wait_s)
        assert again.learnt <= pace.learnt


def test_an_overloaded_server_gets_the_rest_it_asks_for(folder: Path) -> None:
    gate = gate_of(folder)
    admitted(gate, NOW).release(failed(Kind.OVERLOADED, 7.0), NOW)
    assert refused(gate, NOW).until == NOW + 7


def test_a_pause_may_be_long(folder: Path) -> None:
    gate = gate_of(folder)
    admitted(gate, NOW).release(failed(Kind.RATE_LIMIT, 3600.0), NOW)
    assert refused(gate, NOW).until == NOW + 3600


def _hold_until_killed(folder: Path, ready: "multiprocessing.synchronize.Event") -> None:
    gate = gate_of(folder, concurrency=1)
    place = gate.admit("api", NOW)
    ready.set()
    signal.pause()
    del place


def test_the_place_of_a_killed_process_is_free_again(folder: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    holder = spawn.Process(target=_hold_until_killed, args=(folder, ready))
    holder.start()
    try:
        assert ready.wait(30)
        gate = gate_of(folder, concurrency=1)
        refused(gate, NOW)
        assert holder.pid is not None
        os.kill(holder.pid, signal.SIGKILL)
    finally:
        holder.join(30)
    admitted(gate, NOW)


def _count_admissions(folder: Path, start: "multiprocessing.synchronize.Barrier", out: str) -> None:
    gate = gate_of(folder, concurrency=3)
    start.wait(30)
    held = [a for a in (gate.admit("api", NOW) for _ in range(5)) if isinstance(a, Admitted)]
    start.wait(30)
    Path(out).write_text(str(len(held)))


def test_processes_together_hold_no_more_places_than_there_are(
    folder: Path, tmp_path: Path
) -> None:
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(4)
    outs = [tmp_path / f"out{number}" for number in range(4)]
    workers = [
        spawn.Process(target=_count_admissions, args=(folder, start, str(out))) for out in outs
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sum(int(out.read_text()) for out in outs) == 3


# --- 100 items against ten calls a second ---------------------------------------------------------


class Server:
    """Answers `rate` calls a second. `kind` is how it counts them."""

    def __init__(self, kind: str, rate: int = 10) -> None:
        self.kind, self.rate = kind, rate
        self.good: list[float] = []
        self.calls = 0
        self._tokens, self._at = float(rate), NOW

    def answers(self, now: float) -> bool:
        self.calls += 1
        counts: dict[str, Callable[[], bool]] = {
            "bucket": lambda: self._bucket(now),
            "sliding": lambda: sum(t > now - 1 for t in self.good) < self.rate,
            "fixed": lambda: sum(int(t) == int(now) for t in self.good) < self.rate,
        }
        good = counts[self.kind]()
        if good:
            self.good.append(now)
        return good

    def _bucket(self, now: float) -> bool:
        self._tokens = min(self.rate, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Run:
    """Items that call the server through gates, retried as the policy decides."""

    def __init__(self, gates: list[Gate], server: Server, items: int, parallel: int, seed: int):
        self.rng = random.Random(seed)
        self.gates, self.server = gates, server
        self.states = [StepState() for _ in range(items)]
        self.todo = list(range(items))
        self.parked = 0
        self.queue: list[tuple[float, int, int, Admitted | None, bool]] = []
        self._count = 0
        for _ in range(parallel):
            self._next(NOW)
        while self.queue:
            self._step()

    def _push(
        self, now: float, item: int, place: Admitted | None = None, *, ok: bool = False
    ) -> None:
        self._count += 1
        heapq.heappush(self.queue, (now, self._count, item, place, ok))

    def _next(self, now: float) -> None:
        if self.todo:
            self._push(now, self.todo.pop(0))

    def _step(self) -> None:
        self.now, _, item, place, ok = heapq.heappop(self.queue)
        state = self.states[item]
        if place is not None:
            self._end(item, state, place, ok=ok)
            return
        answer = self.gates[item % len(self.gates)].admit("api", self.now)
        if isinstance(answer, NotYet):
            self._push(answer.until, item)
            return
        state.charged += 1
        good = self.server.answers(self.now + self.rng.random() * 0.01)
        self._push(self.now + 0.02 + self.rng.random() * 0.06, item, answer, ok=good)

    def _end(self, item: int, state: StepState, place: Admitted, *, ok: bool) -> None:
        failure = None if ok else failed(Kind.RATE_LIMIT, 1.0)
        place.release(failure, self.now)
        if failure is None:
            self._next(self.now)
            return
        state.failure, state.ended_at = failure, self.now
        verdict = decide(
            Step("s", "http", {}),
            state,
            TaskState("t"),
            self.now,
            self.rng.random(),
            max_wait_s=600.0,
            debugger=False,
        )
        if isinstance(verdict, Retry):
            self._push(verdict.at, item)
        else:
            self.parked += 1
            self._next(self.now)


@pytest.mark.parametrize("kind", ["bucket", "sliding", "fixed"])
@pytest.mark.parametrize("parallel", [16, 100])
def test_a_hundred_items_against_ten_a_second_all_succeed_and_waste_one_burst(
    folder: Path, kind: str, parallel: int
) -> None:
    server = Server(kind)
    run = Run([Gate(folder, {}, {})], server, 100, parallel, seed=parallel)
    assert run.parked == 0
    assert len(server.good) == 100
    assert server.calls - 100 <= parallel
    assert run.now - NOW < 20


@pytest.mark.parametrize("kind", ["bucket", "sliding", "fixed"])
def test_with_a_declared_limit_next_to_no_call_is_wasted(folder: Path, kind: str) -> None:
    server = Server(kind)
    run = Run([Gate(folder, {"api": Limit(rate=10)}, {})], server, 100, 100, seed=1)
    assert run.parked == 0
    assert server.calls <= 103
    assert run.now - NOW < 20


def test_two_processes_share_what_they_learn(folder: Path) -> None:
    server = Server("sliding")
    run = Run([Gate(folder, {}, {}) for _ in range(2)], server, 100, 32, seed=3)
    assert run.parked == 0
    assert server.calls - 100 <= 32
