"""What follows once the loop has returned: the task's end on disk, and who hears of it.

Owns the order: a last snapshot, the run history, notifications, and after a success the removal of
what it has made superfluous. None of this can change how the task ended.
"""

from collections.abc import Callable, Iterator

from agentrun.core import events as ev
from agentrun.core.model import Json, Step, Workflow
from agentrun.core.state import TaskState, apply
from agentrun.core.value import Value
from agentrun.perform import Run
from agentrun.recovery import history
from agentrun.runner.names import Outputs
from agentrun.store.task import TaskStore


def conclude(run: Run, since: float) -> None:
    """Do what is left to do for a task whose loop has ended; it had begun after `since`."""
    task, workflow = run.task, run.workflow
    task.snapshot(task.state)
    if not run.stubs:  # what was made up teaches nothing
        history.remember(run.manager.shared, workflow, task.state, since)
        if workflow.notify:
            _notify(run)
    if task.state.status == "succeeded":
        _forget_worktrees(task, workflow)
        task.clean_after_success()
        from agentrun.store.cleaning import retain

        retain(run.manager, workflow.name, workflow.retention)


def result_of(state: TaskState, get: Callable[[Value], Json]) -> Json:
    """Return the outputs of a task that has ended, its secrets resolved; null for none."""
    ending = state.ending
    if ending is None or ending.outputs is None:
        return None
    return Outputs(state, get).get(ending.outputs)


def _notify(run: Run) -> None:
    """Tell people how it ended; what could not be delivered is a warning, no more."""
    from agentrun.notify import tell

    state = run.task.state
    for problem in tell(run.workflow, state, run.secrets):
        time = max(run.clock.now(), state.updated_at)
        recorded = ev.Recorded(state.seq + 1, time, ev.Warned(problem))
        apply(state, recorded)
        run.task.append([recorded])
        for reporter in run.reporters:
            reporter.warn(problem)


def _forget_worktrees(task: TaskStore, workflow: Workflow) -> None:
    """Remove the worktrees of agents, and git's records of them."""
    if not any(_in_worktree(step) for step in _all_steps(workflow)):
        return
    from agentrun.steps.agents.workspace import forget
    from agentrun.store.names import step_folder

    for key in task.state.steps:
        folder = task.folder / "state" / step_folder(key)
        if folder.is_dir():
            forget(folder)


def _in_worktree(step: Step) -> bool:
    ways = (step.spec, *(way.spec for way in step.fallback))
    return any(spec.get("workspace") == "worktree" for spec in ways)


def _all_steps(workflow: Workflow) -> Iterator[Step]:
    yield from workflow.steps
    for inner in workflow.subworkflows.values():
        yield from _all_steps(inner)
