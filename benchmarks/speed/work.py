"""The pieces of work: for each what the floor runs, what agentrun runs, and the target."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Work:
    """One piece of work. `target` is the most that agentrun may take, in floors, `limit_s` a time,
    `limit_mb` its memory.

    `prepare` writes into the folder what the work needs. `peers` is what the peers' programs are
    asked for (peers.py), None where they are not. `setup` is run once; so is `before`, and what it
    leaves is put back before each round; `keeps` says that nothing is cleared between rounds.
    """

    name: str
    floor: Sequence[str]
    ours: Sequence[str]
    prepare: Callable[[Path], None]
    target: float | None = None
    limit_s: float | None = None
    limit_mb: float | None = None
    peers: Sequence[str] | None = None
    steps: int = 1
    before: Sequence[str] | None = None
    setup: Sequence[str] | None = None
    keeps: bool = False
    measures: str = "wall"


def _steps(folder: Path, *lines: str, head: str = "name: bench") -> None:
    shutil.copy(HERE / "steps.py", folder / "steps.py")
    (folder / "flow.yaml").write_text("\n".join([head, "steps:", *lines, ""]))


def one_shell_step(folder: Path) -> None:
    _steps(folder, '  - {id: a, run: "true"}')


def chain(count: int) -> Callable[[Path], None]:
    return lambda folder: _steps(
        folder, *(f"  - {{id: s{n}, python: 'steps.py:nothing'}}" for n in range(count))
    )


def shell(count: int) -> Callable[[Path], None]:
    return lambda folder: _steps(folder, *(f'  - {{id: s{n}, run: "true"}}' for n in range(count)))


def fan_out(count: int, at_once: int, seconds: float) -> Callable[[Path], None]:
    return lambda folder: _steps(
        folder,
        f"  - {{id: items, python: 'steps.py:numbers', with: {{count: {count}}}}}",
        f"  - {{id: each, for_each: '${{{{ steps.items.output }}}}', max_parallel: {at_once},"
        f" python: 'steps.py:nap', with: {{seconds: {seconds}}}}}",
    )


def payload(count: int, grows: int) -> Callable[[Path], None]:
    def lines() -> list[str]:
        found = []
        for n in range(count):
            text = f"${{{{ steps.s{n - 1}.output }}}}" if n else ""
            with_ = f"{{text: '{text}', grows: {grows}}}"
            found.append(f"  - {{id: s{n}, python: 'steps.py:grown', with: {with_}}}")
        return found

    return lambda folder: _steps(folder, *lines())


def killed(count: int) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        each = [f"  - {{id: s{n}, python: 'steps.py:nothing'}}" for n in range(count)]
        _steps(folder, *each, "  - {id: last, python: 'steps.py:stop_here'}")

    return prepare


def long_loop(count: int, *, stops: bool = False) -> Callable[[Path], None]:
    """Make a workflow whose items run one after another: a file of 100,000 steps is refused."""
    return lambda folder: _steps(
        folder,
        f"  - {{id: items, python: 'steps.py:numbers', with: {{count: {count}}}}}",
        "  - {id: each, for_each: '${{ steps.items.output }}', max_parallel: 1,"
        " python: 'steps.py:nothing'}",
        *["  - {id: last, python: 'steps.py:stop_here'}"] * stops,
        "outputs: {done: '${{ steps.items.output | length }}'}",
    )


def many_tasks(folder: Path) -> None:
    """Make 1,000 tasks of one finished step, as runs would have left them."""
    from benchmarks.store import TEXT, made, records

    one_shell_step(folder)
    for number in range(1000):
        with made(f"{folder}/checkpoints", f"bench-{number:04}") as task:
            task.append(records(task, 2, 1))
    assert TEXT


RUN = ("run", "flow.yaml", "--max-parallel", "100", "-q")


def all_work(*, quick: bool) -> list[Work]:
    """Return the list of work; `quick` leaves out what takes minutes."""
    chains = (100, 1000) if quick else (100, 1000, 10_000)
    resumes = (1000,) if quick else (1000, 10_000)
    loops = () if quick else (100_000,)
    items = 1000 if quick else 10_000
    nothing = lambda _folder: None  # noqa: E731
    cpu = "cpu"
    return [
        Work("`--version`", ("nothing",), ("--version",), nothing, 1.5, measures=cpu),
        Work("`--help`", ("typer",), ("--help",), nothing, 2.0, measures=cpu),
        Work(
            "one shell step, whole process",
            ("start", "flow.yaml"),
            RUN,
            one_shell_step,
            2.5,
            peers=("shell", "1"),
            measures=cpu,
        ),
        *(
            Work(
                f"chain of {n:,} python steps",
                ("chain", str(n)),
                RUN,
                chain(n),
                1.5,
                peers=("chain", str(n)) if n <= 1000 else None,
                steps=n,
            )
            for n in chains
        ),
        *(
            Work(
                f"{n:,} items, one after another",
                ("chain", str(n)),
                RUN,
                long_loop(n),
                1.5,
                limit_mb=150.0,
                steps=n,
            )
            for n in loops
        ),
        Work(
            f"fan-out of {items:,} × 10 ms, 100 at once",
            ("fan_out", str(items), "100", "0.01"),
            RUN,
            fan_out(items, 100, 0.01),
            1.3,
            steps=items,
        ),
        Work(
            "200 shell steps",
            ("shell", "200"),
            RUN,
            shell(200),
            1.3,
            peers=("shell", "200"),
            steps=200,
        ),
        Work(
            "200 steps, text growing by 10 kB",
            ("payload", "200", "10000"),
            RUN,
            payload(200, 10_000),
            steps=200,
            peers=("payload", "200", "10000"),
        ),
        *(
            Work(
                f"`{command}` among 1,000 tasks",
                ("nothing",),
                (command, *which),
                many_tasks,
                limit_s=0.3,
                setup=("run", "flow.yaml", "--task-id", "real", "-q"),
                keeps=True,
            )
            for command, which in (("list", ()), ("inspect", ("real",)), ("debug", ("real",)))
        ),
        *(
            Work(
                f"resume after {n:,} steps to the first new one",
                ("resume", str(n)),
                ("resume", "latest", "-q"),
                killed(n),
                limit_s=0.25,
                before=RUN,
                steps=n,
            )
            for n in resumes
        ),
        *(
            Work(
                f"resume after {n:,} items to the first new step",
                ("resume", str(n)),
                ("resume", "latest", "-q"),
                long_loop(n, stops=True),
                limit_s=1.0,
                before=RUN,
                steps=n,
            )
            for n in loops
        ),
        Work(
            "`validate` of a file of 1,000 steps",
            ("load", "flow.yaml"),
            ("validate", "flow.yaml", "-q"),
            chain(1000),
        ),
        Work(
            "a step that sleeps for 3 s",
            ("idle", "3"),
            RUN,
            lambda folder: _steps(folder, "  - {id: a, run: sleep 3}"),
            measures=cpu,
        ),
    ]
