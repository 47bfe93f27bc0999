"""What a quick step finds that is performed within the turn of the loop."""

import asyncio
from contextvars import ContextVar

import pytest

from agentrun.runner.eager import begun
from agentrun.steps.quick import PROOFS
from tests.runner.conftest import Desk

CHAIN = "steps:\n" + "".join(
    f"  - {{id: s{n}, python: 'f.py:f', with: {{n: {n}}}}}\n" for n in range(PROOFS + 3)
)
SPECIAL = PROOFS + 1
"""The step of the chain that does what the others don't: a quick one, by what is known of it."""

variable: ContextVar[str] = ContextVar("variable", default="")


def log_of(desk: Desk, task_id: str, step: str) -> str:
    return next((desk.root / task_id).glob(f"logs/{step}/*.log")).read_text()


def test_a_quick_function_that_returns_an_awaitable_has_a_task_of_its_own(desk: Desk) -> None:
    desk.write(
        "f.py",
        f"""\
        import asyncio

        async def late():
            print("before")
            try:
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            except TimeoutError:
                print("after")
            return "late"

        def f(n):
            return late() if n == {SPECIAL} else n
        """,
    )
    finished = desk.run(CHAIN)
    assert finished.state.status == "succeeded"
    assert log_of(desk, finished.task_id, f"s{SPECIAL}") == "before\nafter\n"


def test_a_stop_signal_ends_a_quick_step_and_a_resume_goes_on(desk: Desk) -> None:
    desk.write(
        "f.py",
        f"""\
        import pathlib, signal

        def f(n):
            mark = pathlib.Path("mark")
            with mark.open("a") as file:
                print(n, file=file)
            if n == {SPECIAL} and mark.read_text().split().count("{SPECIAL}") == 1:
                signal.raise_signal(signal.SIGTERM)
            return n
        """,
    )
    finished = desk.run(CHAIN)
    assert finished.state.status == "interrupted"
    assert desk.resume(finished).state.status == "succeeded"
    done = (desk.folder / "mark").read_text().split()
    assert sorted(done) == sorted([*map(str, range(PROOFS + 3)), str(SPECIAL)])


@pytest.mark.anyio
async def test_what_is_begun_has_one_context_from_its_start_to_its_end() -> None:
    found = []

    async def work() -> None:
        token = variable.set("inside")
        await asyncio.sleep(0)
        found.append(variable.get())
        variable.reset(token)

    variable.set("outside")
    rest = begun(work())
    assert rest is not None
    assert variable.get() == "outside"
    await rest
    assert found == ["inside"]
