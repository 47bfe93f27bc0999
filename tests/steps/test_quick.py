"""Quick functions are called on the loop, all others in a thread."""

import asyncio
import contextvars
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from agentrun.steps import quick
from agentrun.steps.quick import PROOFS, SLOW_S, Calls
from agentrun.stop_signals import StopSignals

pytestmark = pytest.mark.anyio

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="")


class Ticks:
    """A clock that a function turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def here() -> bool:
    return threading.current_thread() is threading.main_thread()


async def proven(calls: Calls) -> None:
    for _ in range(PROOFS):
        assert await calls.call("f", here, alone=True) is False


async def test_a_function_that_was_quick_is_called_without_a_thread() -> None:
    calls = Calls(monotonic=Ticks())
    await proven(calls)
    assert await calls.call("f", here, alone=True) is True
    assert await calls.call("g", here, alone=True) is False


async def test_a_quick_function_beside_others_goes_to_a_thread() -> None:
    calls = Calls(monotonic=Ticks())
    await proven(calls)
    assert await calls.call("f", here, alone=False) is False


async def test_a_function_that_takes_long_stays_in_its_thread() -> None:
    clock = Ticks()
    calls = Calls(monotonic=clock)

    def slow() -> bool:
        clock.now += 0.01
        return here()

    assert not any([await calls.call("f", slow, alone=True) for _ in range(2 * PROOFS)])


async def test_two_wrong_guesses_and_it_is_never_made_again() -> None:
    calls = Calls()

    def waits() -> bool:
        time.sleep(2 * SLOW_S)
        return here()

    calls._proofs["f"] = PROOFS
    assert [await calls.call("f", waits, alone=True) for _ in range(2)] == [True, True]
    assert not any([await calls.call("f", here, alone=True) for _ in range(2 * PROOFS)])


async def test_a_function_finds_what_it_would_find_in_a_thread() -> None:
    calls = Calls(monotonic=Ticks())
    await proven(calls)
    variable.set("outside")

    def own_loop() -> tuple[str, str]:
        found = variable.get()
        variable.set("inside")
        return found, asyncio.run(answer())

    async def answer() -> str:
        await asyncio.sleep(0)
        return "answer"

    assert await calls.call("f", own_loop, alone=True) == ("outside", "answer")
    assert variable.get() == "outside"
    assert asyncio.get_running_loop() is not None


@pytest.mark.parametrize("swallows", [False, True])
def test_a_stop_signal_ends_what_is_called_on_the_loop(swallows: bool) -> None:
    told: list[str] = []

    def stuck() -> str:
        signal.raise_signal(signal.SIGTERM)
        return "went on"

    def swallowing() -> str:
        try:
            return stuck()
        except BaseException:
            return "went on"

    function: Callable[[], Any] = swallowing if swallows else stuck

    async def run(signals: StopSignals) -> str:
        calls = Calls(monotonic=Ticks())
        calls._proofs["f"] = PROOFS
        work = asyncio.ensure_future(calls.call("f", function, alone=True))

        def stop(name: str) -> None:
            told.append(name)
            work.cancel()

        signals.tell(stop)
        try:
            return str(await work)
        except asyncio.CancelledError:
            return "cancelled"

    with StopSignals() as signals:
        assert asyncio.run(run(signals)) == "cancelled"
    assert told == ["SIGTERM"]
    assert not quick._calling


def test_under_nohup_the_end_of_the_terminal_stops_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    told: list[str] = []

    async def run(signals: StopSignals) -> None:
        signals.tell(told.append)
        signal.raise_signal(signal.SIGHUP)
        await asyncio.sleep(0)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0)

    try:
        with StopSignals() as signals:
            asyncio.run(run(signals))
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert told == ["SIGTERM"]


async def test_what_returns_something_to_await_is_not_quick() -> None:
    """How long that takes nobody knows: it is watched like any other attempt."""
    calls = Calls(monotonic=Ticks())

    async def rest() -> bool:
        return here()

    for _ in range(PROOFS + 1):
        assert await (await calls.call("f", rest, alone=True))
    assert not calls.is_quick("f")
