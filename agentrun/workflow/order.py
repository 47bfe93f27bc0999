"""Which step waits for which: implicit order, cycles, and who is upstream of whom.

Owns the graph of one file. A step without `needs` waits for every step above it; written out, that
would be quadratic, so it gets the *frontier*: the steps above that nothing above waits for. Every
other step above is upstream of one of those. Ancestors are bitsets: a chain of 10,000 steps costs
12 MB and a few milliseconds.
"""

from collections.abc import Iterable, Mapping, Sequence

MAX_CYCLES = 20
"""More are not told: whoever mends these will see."""


def implicit_needs(
    steps: Sequence[tuple[str, tuple[str, ...] | None]],
) -> dict[str, tuple[str, ...]]:
    """Return the needs of every step, explicit ones as written, implicit ones as the frontier."""
    needs: dict[str, tuple[str, ...]] = {}
    frontier: dict[str, None] = {}
    waited_for: set[str] = set()
    for step, explicit in steps:
        mine = tuple(frontier) if explicit is None else tuple(dict.fromkeys(explicit))
        needs[step] = mine
        for each in mine:
            frontier.pop(each, None)
        waited_for.update(mine)
        if step not in waited_for:
            frontier[step] = None
    return needs


def sorted_by_needs(needs: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """Return the steps so that each comes after its needs, and one cycle (empty when none)."""
    done: list[str] = []
    state: dict[str, int] = {}
    for start in needs:
        if start in state:
            continue
        stack = [(start, iter(needs[start]))]
        state[start] = 1
        while stack:
            step, rest = stack[-1]
            for each in rest:
                if each not in needs:
                    continue
                if state.get(each) == 1:
                    trail = [name for name, _ in stack]
                    return done, [*trail[trail.index(each) :], each]
                if each not in state:
                    state[each] = 1
                    stack.append((each, iter(needs[each])))
                    break
            else:
                state[step] = 2
                done.append(step)
                stack.pop()
    return done, []


def without_cycles(
    needs: Mapping[str, Sequence[str]],
) -> tuple[dict[str, Sequence[str]], list[list[str]]]:
    """Return the steps that wait for no cycle, and the cycles that wait for no other."""
    waiting: dict[str, list[str]] = {}
    for step, mine in needs.items():
        for each in mine:
            waiting.setdefault(each, []).append(step)
    left, cycles = dict(needs), []
    while cycle := sorted_by_needs(left)[1]:
        cycles.append(cycle)
        if len(cycles) == MAX_CYCLES:
            return {}, cycles
        gone = [*cycle]
        while gone:
            step = gone.pop()
            if left.pop(step, None) is not None:
                gone += waiting.get(step, ())
    return left, cycles


class Ancestors:
    """Answers whether one step is upstream of another."""

    def __init__(self, needs: Mapping[str, Sequence[str]], ordered: Iterable[str]) -> None:
        self._index = {step: i for i, step in enumerate(ordered)}
        self._bits: list[int] = []
        for step in self._index:
            bits = 0
            for each in needs[step]:
                if (at := self._index.get(each)) is not None and at < len(self._bits):
                    bits |= self._bits[at] | 1 << at
            self._bits.append(bits)

    def has(self, step: str, ancestor: str) -> bool:
        """Say whether `step` waits for `ancestor`, directly or through others.

        True where `step` is none of those that were ordered: that is another problem, named
        elsewhere. None of them waits for one that was not.
        """
        if step not in self._index:
            return True
        if ancestor not in self._index:
            return False
        return bool(self._bits[self._index[step]] >> self._index[ancestor] & 1)
