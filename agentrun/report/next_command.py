"""What a person would type next, for each way a task can stand. Pure.

The first one is the one to type, and `next` of `--json`; the others are alternatives.
"""

from collections.abc import Sequence
from typing import NamedTuple, assert_never

from agentrun.core.state import Ending, StepState, TaskState
from agentrun.report import words

MAX_OPTIONS = 4


class Next(NamedTuple):
    """A command, quoted for the shell, and when it is the right one."""

    command: str
    why: str


def next_commands(state: TaskState, folder_option: Sequence[str] = ()) -> list[Next]:
    """Return what to type next. `folder_option` is `("--checkpoints", DIR)` where it is needed."""

    def say(why: str, *parts: str) -> Next:
        return Next(words.typed(["agentrun", *folder_option, *parts]), why)

    task = state.task_id
    match state.status:
        case "succeeded":
            return [say("what happened, step by step", "inspect", task)]
        case "failed":
            return [
                say("why it failed, and what to do", "debug", task),
                say("try the failed steps again", "resume", task),
            ]
        case "cancelled":
            return [
                say("what was done until then", "inspect", task),
                say("a new task from where it stood", "fork", task),
            ]
        case "interrupted" | "running":
            return [say("go on where it was left", "resume", task)]
        case "paused":
            return [
                say(why, *parts) for why, *parts in _of_pause(state, state.ending or Ending(75))
            ]
        case _:
            assert_never(state.status)


def _of_pause(state: TaskState, ending: Ending) -> list[tuple[str, ...]]:
    task = state.task_id
    if not ending.steps and ending.reason == "interrupted":  # a fork that has not begun
        return [("begin", "resume", task)]
    if ending.reason in {"approval", "interrupted", "escalation"}:
        answers = [each for key in ending.steps for each in _answers(task, key, state.step(key))]
        if not answers and ending.reason == "approval":
            return [("go on with the answers", "resume", task)]
        if ending.reason == "escalation" or not answers:
            answers.insert(0, ("what was tried, and what is proposed", "debug", task))
        return answers
    if ending.reason == "budget":
        raised = ("go on, with a larger `budget:` in that file", "resume", task, "--workflow")
        return [("what it was spent on", "inspect", task), (*raised, state.workflow_path)]
    return [("go on when that is over", "resume", task), ("why it stopped", "debug", task)]


def _answers(task: str, key: str, step: StepState) -> list[tuple[str, ...]]:
    if step.waiting == "approval" and step.approval is not None:
        options = step.approval.options[:MAX_OPTIONS]
        return [("", "approve", task, key, option) for option in options]
    if step.waiting != "person":
        return []
    cut_off = step.interruptions > 0
    again = "it has not taken effect, or may do so again" if cut_off else "once the cause is cured"
    leave = "it has taken effect" if cut_off else "go on without it"
    return [
        (again, "resume", task, "--retry", key),
        (leave, "resume", task, "--skip", key),
    ]
