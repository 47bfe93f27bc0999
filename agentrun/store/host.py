"""The machine and its processes, as far as the lock needs them.

Owns the answers to "who am I" and "does that process still live". `steps/proc_table.py` knows more
about processes; the store may not import from there (imports go down only).
"""

import os
from functools import cache

from agentrun.core.events import Holder


@cache
def boot_id() -> str:
    """Return what tells this boot of the machine from all others; empty where there is no such."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def process_start_time(pid: int) -> int | None:
    """Return the kernel's start time of a process in clock ticks since boot; None: no such one."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except FileNotFoundError:
        return None if os.path.isdir("/proc/self") else _without_proc(pid)
    except (OSError, ValueError, IndexError):
        return None


def this_process(epoch: int) -> Holder:
    """Return this process as the holder of a task."""
    pid = os.getpid()
    return Holder(epoch, pid, process_start_time(pid) or 0, os.uname().nodename, boot_id())


def is_alive(holder: Holder) -> bool:
    """Return whether the process lives. One of another machine counts as alive: nobody can tell."""
    if holder.host != os.uname().nodename:
        return True
    if holder.boot_id != boot_id():
        return False
    return process_start_time(holder.pid) == holder.started


def _without_proc(pid: int) -> int | None:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return 0
    except (OSError, OverflowError):
        return None
    return 0
