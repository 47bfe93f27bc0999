"""Processes that a dead run left behind: found and ended before their step runs again.

Owns the proof that a process is ours: the recorded pid together with the kernel's start time and
the boot, or the marks in its environment. Refuses to touch anything else: a pid that was used
again, or a group whose leader is gone and whose members carry no mark.
"""

from agentrun.steps.proc_table import (
    GRACE_S,
    Ending,
    Target,
    boot_id,
    end_all,
    process_start_time,
)


async def end_leftovers(
    *,
    task_id: str,
    step: str,
    folder: str = "",
    pid: int | None = None,
    started: int = 0,
    boot: str = "",
    grace_s: float = GRACE_S,
) -> Ending:
    """End what is left of a step's last attempt. While any survives, the step must not start.

    `folder` is the task's: another checkpoint folder may hold a task of the same id, whose live
    processes are not ours. `pid`, `started` and `boot` are as recorded when it was started, None
    when that record was cut off by the crash: then the marks alone find it.
    """
    proven = pid if pid and _is_the_same(pid, started, boot) else None
    marks = {"AGENTRUN_TASK_ID": task_id, "AGENTRUN_STEP": step}
    return await end_all(Target(proven, started, marks, folder), grace_s)


def _is_the_same(pid: int, started: int, boot: str) -> bool:
    if boot != boot_id():
        return False
    return started > 0 and process_start_time(pid) == started
