"""What a dead run has left alive: processes of its steps, ended before those steps run again."""

from collections.abc import Sequence

from agentrun.errors import AgentrunError
from agentrun.store.task import TaskStore


async def end_leftovers_of(task: TaskStore) -> None:
    """End the processes that the task's last run left. Raises AgentrunError if one survives."""
    from agentrun.steps.orphans import end_leftovers

    state, folder = task.state, str(task.folder)
    for key, step in state.steps.items():
        if step.undecided:  # the Debugger's agent may have been at work on it
            left = await end_leftovers(task_id=state.task_id, step=f"{key}/debugger", folder=folder)
            _refuse_survivors(key, left.survivors)
        if step.status != "running" or step.items is not None or step.scope is not None:
            continue
        noted, holder = step.process, state.holder
        left = await end_leftovers(
            task_id=state.task_id,
            step=key,
            folder=folder,
            pid=None if noted is None else noted.pid,
            started=0 if noted is None else noted.started,
            boot="" if holder is None else holder.boot_id,
        )
        _refuse_survivors(key, left.survivors)


def _refuse_survivors(step: str, survivors: Sequence[int]) -> None:
    """Refuse to run a step beside a process of its last attempt."""
    if survivors:
        pids = ", ".join(map(str, survivors))
        raise AgentrunError(
            f"{step}: processes of the run that died are still alive and can't be ended: {pids}",
            "end them by hand, then resume",
        )
