"""What happened, in order, one line an event: the same words as a run's own progress.

The state is folded along, so that each line is said with the state of its own moment.
"""

from collections.abc import Iterator, Sequence

from agentrun.core import events as ev
from agentrun.core.address import ancestors, under
from agentrun.core.state import TaskState, apply
from agentrun.report import words
from agentrun.report.screen import Screen
from agentrun.report.sentences import Sentence, sentence

MAX_LINES = 200


def timeline(
    task_id: str, records: Sequence[ev.Recorded], only: str | None = None
) -> Iterator[tuple[ev.Recorded, Sentence]]:
    """Yield what each record says. `only` keeps to one step and what concerns all steps."""
    state = TaskState(task_id)
    if only is not None and not any(isinstance(r.event, ev.TaskResumed) for r in records):
        records = _around(records, only)  # nothing tells of the progress of all steps
    for number, recorded in enumerate(records, 1):
        apply(state, ev.Recorded(number, recorded.time, recorded.event))
        if only is not None and not concerns(recorded.event, only):
            continue
        said = sentence(recorded, state)
        if said is not None:
            yield recorded, said


def _around(records: Sequence[ev.Recorded], key: str) -> list[ev.Recorded]:
    """Return the records that make the state of one step: its own, and those of what holds it."""
    holders = {key, *ancestors(key)}
    return [
        recorded
        for recorded in records
        if (step := getattr(recorded.event, "step", None)) is None
        or step in holders
        or under(step, key)
    ]


def concerns(event: ev.Event, key: str) -> bool:
    """Return whether an event belongs to the story of one step."""
    if isinstance(event, ev.StepEvent):
        return event.step == key or under(event.step, key)
    if isinstance(event, ev.StepsReset | ev.AttemptsGranted):
        return key in event.steps
    return isinstance(event, ev.TaskResumed | ev.TaskInterrupted | ev.TaskHalted)


def timeline_lines(
    task_id: str, records: Sequence[ev.Recorded], screen: Screen, *, only: str | None = None
) -> Iterator[str]:
    """Yield the lines; of a long story the beginning and the end."""
    yield from told_lines(list(timeline(task_id, records, only)), screen, only=only)


def told_lines(
    told: Sequence[tuple[ev.Recorded, Sentence]], screen: Screen, *, only: str | None = None
) -> Iterator[str]:
    """Yield the lines of what `timeline` told."""
    half = MAX_LINES // 2
    for index, (recorded, said) in enumerate(told):
        if len(told) > MAX_LINES and half <= index < len(told) - half:
            if index == half:
                yield f"  … {len(told) - MAX_LINES:,} events left out"
            continue
        number = screen.paint("dim", f"{recorded.seq:>6}  {words.clock(recorded.time)}")
        about = f"{said.about}  " if said.about and said.about != only else ""
        yield f"{number}  {about}{screen.paint(said.style, said.text)}"
