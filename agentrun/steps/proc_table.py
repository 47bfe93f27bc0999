"""The system's processes: which belong to an attempt, and how to end them all.

Owns what /proc (elsewhere: `ps`) tells, and the only loop that ends processes: SIGTERM, a grace,
SIGKILL, and a look at whether anybody survived. Refuses to know why they must go.

A process belongs to an attempt when it is in the attempt's group or session, or when its
environment carries the attempt's marks (which also finds one that took a session of its own).
A pid alone proves nothing, since pids are used again: the start time of the group's leader must
be the recorded one, and each signal goes to a process whose start time was looked at just before.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from functools import cache

from msgspec import Struct, field

GRACE_S = 5.0
"""How long a process may take to end after SIGTERM."""
KILL_PATIENCE_S = 5.0
"""How long to wait for the kernel after SIGKILL: longer means stuck in the kernel."""
FIRST_LOOK_S = 0.005
LONGEST_PAUSE_S = 0.1


class Process(Struct, frozen=True):
    """A live process. `started`: clock ticks since boot; without /proc, seconds of the epoch."""

    pid: int
    parent: int
    group: int
    session: int
    started: int


class Target(Struct, frozen=True):
    """Which processes are meant.

    The group and session led by `leader`, which started at `started` (0: not known), and every
    process whose environment holds all of `marks`, but for one that was given a state folder
    outside of `folder` (empty: wherever it is): the same id may name another task elsewhere.
    """

    leader: int | None = None
    started: int = 0
    marks: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""


class Ending(Struct, frozen=True):
    """Which processes `end_all` found and signalled, and which of them survived."""

    found: tuple[int, ...] = ()
    survivors: tuple[int, ...] = ()


@cache
def boot_id() -> str:
    """Return what tells this boot of the system from others; empty where nothing does."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def process_start_time(pid: int) -> int | None:
    """Return when the process started, None when there is none (a zombie counts as none)."""
    found = _look_at(pid) if _has_proc() else next((p for p in _by_ps() if p.pid == pid), None)
    return found.started if found else None


def find(target: Target) -> tuple[Process, ...]:
    """Return the live processes that are meant; never this one."""
    alive = [process for process in _alive() if process.pid != os.getpid()]
    leader = target.leader
    if any(p.pid == leader and target.started and p.started != target.started for p in alive):
        leader = None  # the pid was used again: the group that bears its number is another one
    return tuple(
        process
        for process in alive
        if (leader is not None and leader in (process.group, process.session))
        or _is_marked(process.pid, target)
    )


async def end_all(
    target: Target, grace_s: float = GRACE_S, hurry: asyncio.Event | None = None
) -> Ending:
    """End every process that is meant and verify it; `hurry` cuts the grace short when set.

    Whom it has met is looked for by its start time from then on: a process that is about to end has
    lost its environment, and with it the marks, but is not gone. What a process starts after its
    SIGTERM tidies up for it (`trap ... EXIT`), and is left alone for half of the grace.
    """
    met: dict[int, Process] = {}
    for number, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, KILL_PATIENCE_S)):
        deadline = time.monotonic() + patience_s
        pause_s = FIRST_LOOK_S
        signalled: set[int] = set()
        while found := _left(target, met):
            met.update({process.pid: process for process in found})
            told = signalled.intersection(process.pid for process in found)
            patient = number is signal.SIGTERM and time.monotonic() < deadline - patience_s / 2
            for process in found:
                if patient and process.parent in told and process.pid not in signalled:
                    told.add(process.pid)  # it tidies up, and so does what it starts
                elif process.pid not in told or number is signal.SIGKILL:
                    send(process, number)
                    signalled.add(process.pid)
            in_hurry = hurry is not None and hurry.is_set() and number is signal.SIGTERM
            if in_hurry or time.monotonic() >= deadline:
                break
            await asyncio.sleep(min(pause_s, max(0.0, deadline - time.monotonic())))
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        if not found:
            return Ending(tuple(met))
    return Ending(tuple(met), tuple(process.pid for process in _left(target, met)))


def _left(target: Target, met: Mapping[int, Process]) -> tuple[Process, ...]:
    meant = find(target)
    known = {process.pid for process in meant}
    ending = (process for pid, process in met.items() if pid not in known)
    return (*meant, *(each for each in ending if process_start_time(each.pid) == each.started))


def send(process: Process, number: signal.Signals) -> None:
    """Signal exactly this process. One that is stopped is woken, so that SIGTERM reaches it."""
    try:
        _send(process, number)
        if number is signal.SIGTERM:
            _send(process, signal.SIGCONT)
    except ProcessLookupError:
        return
    except PermissionError:
        return  # it took another user's rights; the look afterwards reports it as a survivor


def _send(process: Process, number: signal.Signals) -> None:
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):  # not Linux, or forbidden in this container
        os.kill(process.pid, number)
        return
    try:
        if process_start_time(process.pid) == process.started:
            signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def _has_proc() -> bool:
    return os.path.exists("/proc/self/stat")


def _alive() -> Iterator[Process]:
    if not _has_proc():
        yield from _by_ps()
        return
    for name in os.listdir("/proc"):
        if name.isdigit() and (process := _look_at(int(name))):
            yield process


def _look_at(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            line = file.read()
    except OSError:
        return None
    # the program's name stands in parentheses and may hold anything, parentheses included
    fields = line[line.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X"):
        return None
    parent, group, session, started = (int(fields[index]) for index in (1, 2, 3, 19))
    return Process(pid, parent, group, session, started)


def _by_ps() -> Iterator[Process]:
    command = ("ps", "-A", "-o", "pid=,ppid=,pgid=,stat=,lstart=")
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    for line in done.stdout.splitlines():
        pid, parent, group, state, moment = line.split(maxsplit=4)
        if not state.startswith("Z"):
            started = int(time.mktime(time.strptime(moment, "%a %b %d %H:%M:%S %Y")))
            yield Process(int(pid), int(parent), int(group), session=0, started=started)


def _is_marked(pid: int, target: Target) -> bool:
    if not target.marks:
        return False
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = b"\0" + file.read() + b"\0"
    except OSError:
        return False
    marks = (f"\0{name}={value}\0".encode() for name, value in target.marks.items())
    return all(mark in environment for mark in marks) and not _is_elsewhere(environment, target)


def _is_elsewhere(environment: bytes, target: Target) -> bool:
    _, given, rest = environment.partition(b"\0AGENTRUN_STATE_DIR=")
    if not (target.folder and given):
        return False
    state_dir = os.path.realpath(os.fsdecode(rest.partition(b"\0")[0]))
    return not state_dir.startswith(f"{os.path.realpath(target.folder)}/")
