"""What can happen next: the order of steps, derived from the workflow and the state.

`Schedule` keeps indices (which needs are open, what is ready, what waits until when) so that each
event costs the same however many steps are done. It holds no fact of its own: built anew from any
state it names the same actions. `follow` tells it an event that was just applied, `actions` names
what the runner should do now, `idle` says that nothing will happen by itself any more.

Pure: time enters as `now`, epoch seconds.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from msgspec import Struct

from agentrun.core import address, events as ev
from agentrun.core.failure import Kind
from agentrun.core.model import Step, Workflow
from agentrun.core.scope import Scope, asks_for_failures
from agentrun.core.state import StepState, TaskState

RUNS_NO_ATTEMPT = frozenset({"workflow", "approval", "wait"})
"""Kinds that the runner performs itself: they hold no place among the parallel attempts."""

STOPS_ITEMS = frozenset({Kind.AUTH, Kind.QUOTA, Kind.SECURITY})
"""An item that ends so shows that no other item of the `for_each` can work: none is started."""


class Begin(Struct, frozen=True):
    """The step, or the item, has everything it waits for: begin it."""

    key: str


class Attempt(Struct, frozen=True):
    """Begin another attempt of a step that has begun: a retry, a round, after an interruption."""

    key: str


class Recover(Struct, frozen=True):
    """An attempt failed: decide what follows."""

    key: str


class Close(Struct, frozen=True):
    """All items of a `for_each`, or all steps of a sub-workflow, are over: conclude it."""

    key: str


class Block(Struct, frozen=True):
    """A step that this one needs has failed."""

    key: str
    by: str


class Expire(Struct, frozen=True):
    """A `wait` is over, or nobody answered an approval in time."""

    key: str


class Conclude(Struct, frozen=True):
    """A person answered the step's question."""

    key: str


Action = Begin | Attempt | Recover | Close | Block | Expire | Conclude


class _Loop:
    """A `for_each` in progress. `todo[position:]` are the indices that have not begun."""

    __slots__ = ("holding", "key", "limit", "position", "stopped", "todo", "unsettled")

    def __init__(self, key: str, limit: int | None, unsettled: int, todo: Sequence[int]) -> None:
        self.key = key
        self.limit = limit
        self.unsettled = unsettled
        self.todo = todo
        self.position = 0
        self.holding: set[str] = set()
        self.stopped = False

    def can_start(self) -> bool:
        """Return whether another item may begin, as far as this `for_each` is concerned."""
        free = self.limit is None or len(self.holding) < self.limit
        return free and not self.stopped and self.position < len(self.todo)

    def start_next(self) -> str:
        """Return the address of the next item, which holds a place from now on."""
        key = address.item(self.key, self.todo[self.position])
        self.position += 1
        self.holding.add(key)
        return key


class Schedule:
    """The indices over one task. See the module's docstring."""

    def __init__(self, workflow: Workflow, state: TaskState) -> None:
        self._workflow = workflow
        self._state = state
        self.rebuilt = 0
        self.rebuild(workflow)

    def rebuild(self, workflow: Workflow) -> None:
        """Derive everything anew from the state, for this (perhaps edited) definition."""
        self._workflow = workflow
        self.rebuilt += 1
        self.running: set[str] = set()
        self._scopes: dict[str, Scope] = {}
        self._loops: dict[str, _Loop] = {}
        self._ready: deque[str] = deque()
        self._again: deque[str] = deque()
        self._prompt: deque[Action] = deque()
        self._timers: list[tuple[float, str]] = []
        self._open_scope("", workflow)

    # --- looking things up ----------------------------------------------------------------------

    def step(self, key: str) -> Step:
        """Return the definition of the step at this address. Raises KeyError."""
        if found := self._scopes[""].steps.get(key):
            return found
        return self._scopes[address.parent_scope(key)].steps[address.step_id(key)]

    def workflow_of(self, key: str) -> Workflow:
        """Return the workflow that the step at this address belongs to."""
        return self._scopes[address.parent_scope(key)].workflow

    @property
    def idle(self) -> bool:
        """True when nothing will happen any more without a person or another moment in time."""
        if self.running or self._prompt:
            return False
        if self._state.halted is not None:
            return True
        if self._ready or self._again or self._next(self._is_a_wait) is not None:
            return False
        return not any(loop.can_start() for loop in self._loops.values())

    @property
    def next_wake(self) -> float | None:
        """Return when the next retry or `wait` is due, or a sub-workflow out of time. An approval's
        deadline holds no process.
        """
        return self._next(lambda key: self._state.step(key).waiting != "approval")

    def _is_a_wait(self, key: str) -> bool:
        """Return whether a timer holds a process: a deadline alone does not."""
        step = self._state.step(key)
        return step.waiting != "approval" and not _has_deadline(step)

    def _next(self, counts: Callable[[str], bool]) -> float | None:
        while self._timers and not self._is_live(*self._timers[0]):
            heapq.heappop(self._timers)
        if self._timers and counts(self._timers[0][1]):
            return self._timers[0][0]
        return min((t for t, k in self._timers if self._is_live(t, k) and counts(k)), default=None)

    # --- following events -----------------------------------------------------------------------

    def follow(self, event: ev.Event) -> None:
        """Take account of an event that was just applied to the state."""
        match event:
            case ev.StepStarted():
                self.running.add(event.step)
            case ev.StepSucceeded() | ev.StepSkipped() | ev.StepBlocked() | ev.StepGaveUp():
                self.running.discard(event.step)
                self._settled(event.step)
            case ev.StepFailed():
                self.running.discard(event.step)
                scope = self._scopes.get(event.step)
                if scope is not None and scope.left:  # it was ended early: nothing below goes on
                    self.rebuild(self._workflow)
                else:
                    self._prompt.append(Recover(event.step))
            case ev.RoundFinished() | ev.StepInterrupted():
                self.running.discard(event.step)
                self._again.append(event.step)
            case ev.FixApplied() | ev.FixJudged():
                self._limit_items(event.step)
            case ev.RetryScheduled():
                self._limit_items(event.step)
                self._set_timer(event.step)
            case ev.FallbackTaken() | ev.WaitStarted() | ev.ApprovalAsked():
                self._set_timer(event.step)
            case ev.StepParked() | ev.PersonAsked():
                self._release(event.step)
            case ev.StepAnswered():
                self._prompt.append(Conclude(event.step))
            case ev.StepExpanded():
                self._open_loop(event.step, range(event.count), event.count)
            case ev.ScopeOpened():
                self._open_scope(event.step, self._subworkflow(event.step, event.path))
                self._set_timer(event.step)
            case ev.StepsReset() | ev.AttemptsGranted() | ev.TaskCancelled():
                self.rebuild(self._workflow)
            case _:
                pass

    def defer(self, key: str, until: float) -> None:
        """Put an action back that could not be performed yet (a limit, an open breaker)."""
        heapq.heappush(self._timers, (until, key))

    # --- naming actions -------------------------------------------------------------------------

    def actions(self, now: float) -> list[Action]:
        """Take out what should be done now, in order. Each action is named once.

        What follows from what has happened comes alone, since it may halt the task. When an action
        has the schedule rebuilt (`rebuilt` counts that), the rest of the list is void: it was
        derived anew.
        """
        self._fire_timers(now)
        if not (self._prompt or self._again or self._ready or self._loops):
            return []
        found: list[Action] = list(self._prompt)
        self._prompt.clear()
        if found:
            return found
        if self._state.halted is not None:
            return found
        again = self._attempts(self._state.max_parallel - len(self.running))
        found.extend(again)
        places = self._state.max_parallel - len(self.running) - len(again)
        for _ in range(len(self._ready)):
            key = self._ready.popleft()
            if not self._takes_a_place(key):
                found.append(Begin(key))
            elif places > 0:
                found.append(Begin(key))
                places -= 1
            else:
                self._ready.append(key)
        found.extend(self._items(places))
        return found

    def _attempts(self, places: int) -> list[Action]:
        """Go on with steps that have begun; an item waits while others fill its lowered limit."""
        going: list[Action] = []
        kept: list[str] = []
        while self._again and len(going) < places:
            key = self._again.popleft()
            loop = self._loops.get(address.parent_loop(key) or "")
            if loop is None or loop.limit is None or self._busy(loop, going) < loop.limit:
                going.append(Attempt(key))
            else:
                kept.append(key)
        self._again.extendleft(reversed(kept))
        return going

    def _busy(self, loop: _Loop, going: Sequence[Action]) -> int:
        keys = chain(self.running, (action.key for action in going))
        return sum(address.parent_loop(key) == loop.key for key in keys)

    def _items(self, places: int) -> Iterator[Action]:
        for loop in list(self._loops.values()):
            takes_a_place = self.step(loop.key).kind not in RUNS_NO_ATTEMPT
            while loop.can_start() and (places > 0 or not takes_a_place):
                places -= takes_a_place
                yield Begin(loop.start_next())

    def _takes_a_place(self, key: str) -> bool:
        step = self.step(key)
        return step.for_each is None and step.kind not in RUNS_NO_ATTEMPT

    def _fire_timers(self, now: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            moment, key = heapq.heappop(self._timers)
            if not self._is_live(moment, key):
                continue
            state = self._state.step(key)
            waiting = state.waiting
            if waiting in {"wait", "approval"} or _has_deadline(state):
                self._prompt.append(Expire(key))
            elif waiting == "retry" or state.attempts:
                self._again.append(key)
            else:
                self._ready.append(key)

    def _is_live(self, moment: float, key: str) -> bool:
        """Return False for a stale timer: its step has moved on or waits for another moment."""
        step = self._state.step(key)
        if step.waiting in {"retry", "wait", "approval"} or _has_deadline(step):
            return step.until is not None and step.until <= moment
        return step.status in {"pending", "interrupted"}

    # --- keeping the indices --------------------------------------------------------------------

    def _settled(self, key: str) -> None:
        self._loops.pop(key, None)
        self._close_scopes(key)
        loop_key = address.parent_loop(key)
        if loop_key is None:
            self._settle_in_scope(key)
        elif loop := self._loops.get(loop_key):
            self._settle_in_loop(loop, key)

    def _settle_in_loop(self, loop: _Loop, key: str) -> None:
        step = self._state.step(key)
        loop.unsettled -= 1
        loop.holding.discard(key)
        if step.gave_up and step.failure and step.failure.kind in STOPS_ITEMS:
            loop.stopped = True
        if loop.unsettled == 0 or (loop.stopped and not loop.holding):
            self._prompt.append(Close(loop.key))

    def _settle_in_scope(self, key: str) -> None:
        scope = self._scopes[address.parent_scope(key)]
        step_id = address.step_id(key)
        bad = _stops_dependents(self._state.step(key))
        scope.left -= 1
        for dependent in scope.dependents.get(step_id, ()):
            if bad:
                scope.blocked_by.setdefault(dependent, step_id)
            self._need_settled(scope, dependent)
        for waiter, blocks in scope.waiters.get(step_id, ()):
            if bad and blocks:
                scope.blocked_by.setdefault(waiter, step_id)
            self._need_settled(scope, waiter)
        if scope.left == 0 and scope.key:
            self._prompt.append(Close(scope.key))

    def _need_settled(self, scope: Scope, step_id: str) -> None:
        scope.open_needs[step_id] -= 1
        if scope.open_needs[step_id] == 0:
            self._needs_met(scope, step_id)

    def _needs_met(self, scope: Scope, step_id: str) -> None:
        key = address.inside(scope.key, step_id)
        state = self._state.step(key)
        if state.settled:
            return
        by = scope.blocked_by.get(step_id)
        if by is not None and not asks_for_failures(scope.steps[step_id]):
            self._prompt.append(Block(key, address.inside(scope.key, by)))
        elif state.status == "pending" and state.answer is None:
            self._ready.append(key)
        else:
            self._take_up_begun(key, state)

    def _release(self, key: str) -> None:
        """Give the place of a parked item in its `for_each` to the next one."""
        loop_key = address.parent_loop(key)
        if loop_key is not None and (loop := self._loops.get(loop_key)):
            loop.holding.discard(key)

    def _limit_items(self, key: str) -> None:
        """Let the `for_each` of an item run no more at once than it may now."""
        loop = self._loops.get(address.parent_loop(key) or "")
        if loop is not None:
            loop.limit = self._most_at_once(loop.key)

    def _most_at_once(self, key: str) -> int | None:
        limits = (self.step(key).max_parallel, self._state.step(key).at_once)
        return min((each for each in limits if each is not None), default=None)

    def _set_timer(self, key: str) -> None:
        until = self._state.step(key).until
        if until is not None:
            heapq.heappush(self._timers, (until, key))

    def _close_scopes(self, key: str) -> None:
        if key in self._scopes and key:
            del self._scopes[key]

    def _subworkflow(self, key: str, path: str) -> Workflow:
        return self.workflow_of(key).subworkflows[path]

    def _open_scope(self, key: str, workflow: Workflow) -> None:
        scope = self._scopes[key] = Scope(key, workflow)
        states = {s: self._state.step(address.inside(key, s)) for s in scope.steps}
        scope.wait_through(states)
        for step_id, step in scope.steps.items():
            state = states[step_id]
            if state.settled:
                scope.left -= 1
                continue
            for need in step.needs:
                scope.open_needs[step_id] -= states[need].settled
                if states[need].settled and _stops_dependents(states[need]):
                    scope.blocked_by.setdefault(step_id, need)
            self._take_up(scope, step_id, state)
        if scope.left == 0 and key:
            self._prompt.append(Close(key))

    def _take_up(self, scope: Scope, step_id: str, state: StepState) -> None:
        """Go on with a step, unless something that it needs is open (again: a step that ran
        although another failed was granted new attempts together with that other).
        """
        if scope.open_needs[step_id] > 0:
            return
        if _has_begun(state):
            self._take_up_begun(address.inside(scope.key, step_id), state)
        else:
            self._needs_met(scope, step_id)

    def _take_up_begun(self, key: str, state: StepState) -> None:
        if state.items is not None:
            self._take_up_loop(key, state)
        else:
            self._go_on(key, state)

    def _go_on(self, key: str, state: StepState) -> None:
        """Take up a step, or an item, that has begun and is not over."""
        if state.undecided:
            self._prompt.append(Recover(key))
        elif state.waiting in {"retry", "wait", "approval"}:
            self._set_timer(key)
        elif state.answer is not None and state.status == "pending":
            self._prompt.append(Conclude(key))
        elif state.scope is not None and state.status == "running":
            self._open_scope(key, self._subworkflow(key, state.scope.path))
            self._set_timer(key)
        elif state.status in {"pending", "interrupted"}:
            self._again.append(key)
        elif state.status == "running":
            self.running.add(key)

    def _take_up_loop(self, key: str, state: StepState) -> None:
        if state.undecided:
            self._prompt.append(Recover(key))
            return
        if state.waiting == "retry":
            self._set_timer(key)
            return
        todo: list[int] = []
        begun: list[tuple[str, StepState]] = []
        settled = 0
        for index in range(state.count):
            child_key = address.item(key, index)
            child = self._state.steps.get(child_key)
            if child is None or not _has_begun(child):
                todo.append(index)
            elif child.settled:
                settled += 1
            else:
                begun.append((child_key, child))
        loop = self._open_loop(key, todo, state.count - settled)
        for child_key, child in begun:
            if child.waiting not in {"parked", "person"}:
                loop.holding.add(child_key)
            self._go_on(child_key, child)

    def _open_loop(self, key: str, todo: Sequence[int], unsettled: int) -> _Loop:
        loop = _Loop(key, self._most_at_once(key), unsettled, todo)
        self._loops[key] = loop
        if unsettled == 0:
            self._prompt.append(Close(key))
        return loop


def _has_deadline(state: StepState) -> bool:
    """Return whether this is a sub-workflow in progress that may run out of time."""
    return state.scope is not None and state.status == "running" and state.until is not None


def _has_begun(state: StepState) -> bool:
    answered = state.answer is not None
    return state.status != "pending" or bool(state.attempts) or state.scope is not None or answered


def _stops_dependents(state: StepState) -> bool:
    return state.status == "blocked" or (state.gave_up and not state.continued)
