"""Power cuts of the real command.

A killed process leaves the page cache behind, so kills can't tell a program that syncs from one that
does not. Here a run is traced (tracing.py), and its calls on the checkpoints are done once more on
the disk that forgets (tests/store/faulty_disk.py), up to some call. What that disk still holds after
the power cut is laid out as a real folder, next to what had been told to the world by then: the
lines in the `--events` file and the marks of the steps. There the real command is started again. It
has to end with the right outputs; nothing that was told may be missing from the journal; no step that
was told to have succeeded may be performed again.
"""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.crash.command import TIMEOUT_S, Folder
from tests.crash.tracing import OPTIONS, Call, Watched, calls
from tests.store.faulty_disk import LUCKS, FaultySystem, Inode, Luck, PowerCut

WORKFLOW = r"""
name: killed
env: {MARK: 'echo "$RUN $AGENTRUN_STEP" >> "$EFFECTS"'}
steps:
  - {id: first, run: 'eval "$MARK"; echo one'}
  - id: each
    for_each: [a, b]
    run: 'eval "$MARK"; echo "${{ item }}-${{ steps.first.output }}"'
  - id: flaky
    needs: [first]
    retry: {max_attempts: 3, delay: 10ms}
    run: |
      eval "$MARK"
      test -e "$AGENTRUN_STATE_DIR/tried" || { touch "$AGENTRUN_STATE_DIR/tried"; exit 7; }
      echo cured
  - {id: big, needs: [flaky], run: 'eval "$MARK"; head -c 9000 /dev/zero | tr "\0" x'}
  - {id: last, run: 'eval "$MARK"; echo "${{ steps.flaky.output }} ${{ steps.each.output[1] }}"'}
outputs: {last: "${{ steps.last.output }}", big: "${{ steps.big.output }}"}
"""


@dataclass(frozen=True)
class Recording:
    """One or more runs of a task in a row, as a list of calls, and the outputs of the last, whose
    calls begin at `last_from`.
    """

    folder: Folder
    calls: list[Call]
    outputs: dict[str, object]
    last_from: int = 0


@dataclass(frozen=True)
class Cut:
    """The power fails before call `at`, or in the middle of it (`torn`); `luck` decides what of the
    unsynced is left, by `seed`.
    """

    at: int
    luck: Luck
    seed: int = 0
    torn: bool = False


def record(
    path: Path, tracer: str, *, kill_at: int | None = None, under: Sequence[str] = ()
) -> Recording:
    """Trace a run in peace; or one that is killed at its `kill_at`-th call, and its resume.

    `under` is a program that runs the command, such as `eatmydata`. Raises AssertionError when the
    calls, done again, do not give the same folder byte by byte.
    """
    folder = Folder(path, WORKFLOW)
    found: list[Call] = []
    if kill_at is not None:
        found += _traced(folder, tracer, under, kill_at)[0]
    last_from = len(found)
    more, out = _traced(folder, tracer, under, None)
    found += more
    replayed = FaultySystem()
    for call in found:
        do(replayed, call)
    assert _tree(replayed.root) == _real_tree(folder.root), "the trace is not complete"
    outputs: dict[str, object] = json.loads(out)["outputs"]
    return Recording(folder, found, outputs, last_from)


def _traced(
    folder: Folder, tracer: str, under: Sequence[str], kill_at: int | None
) -> tuple[list[Call], bytes]:
    """Run the command once more under the tracer; return its calls and its stdout."""
    names = ("effects", f"events-{folder.runs}", f"out-{folder.runs}")
    trace, out = folder.path / f"trace-{folder.runs}", folder.path / names[-1]
    command = [tracer, *OPTIONS, "-o", str(trace), *under, *folder.arguments(kill_at=kill_at)]
    with out.open("wb") as stdout:
        done = subprocess.run(
            command,
            cwd=folder.path,
            env=folder.env(),
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_S,
            check=False,
        )
    folder.runs += 1
    assert kill_at is not None or done.returncode == 0, done.stderr.decode()
    lines = trace.read_text().splitlines()
    trace.unlink()
    return calls(lines, Watched(folder.path, ["checkpoints"], names)), out.read_bytes()


def do(system: FaultySystem, call: Call, *, cut: bool = False) -> None:
    """Do a call of the trace on the modelled disk. With `cut` the power fails in the middle of it."""
    match call.kind:
        case "told":
            return
        case "create":
            system.close(system.open(call.path, os.O_RDWR | os.O_CREAT))
        case "rename":
            system.rename(call.path, call.target)
        case "link":
            system.link(call.path, call.target)
        case "unlink":
            system.unlink(call.path)
        case "mkdir":
            system.mkdir(call.path, 0o700)
        case "rmdir":
            system.rmdir(call.path)
        case "sync" | "write" | "append" | "resize" | "cut":
            fd = system.open(call.path, os.O_RDWR)
            if cut:
                system.crash_at = system.calls + 1
            _on_file(system, fd, call)
            system.close(fd)


def _on_file(system: FaultySystem, fd: int, call: Call) -> None:
    match call.kind:
        case "sync":
            system.fsync(fd)
        case "write":
            system.pwrite(fd, call.data, call.number)
        case "append":
            system.pwrite(fd, call.data, len(system.content(call.path)))
        case _:
            system.ftruncate(fd, call.number)


def left_after(found: Sequence[Call], cut: Cut) -> FaultySystem:
    """Return the disk as it is after the power has come back."""
    system = FaultySystem(cut.seed)
    for call in found[: cut.at]:
        do(system, call)
    if cut.torn:
        try:
            do(system, found[cut.at], cut=True)
        except PowerCut:
            pass
        else:
            raise AssertionError(f"{found[cut.at].kind} can't be torn")
    return system.reboot(cut.luck, cut.seed)


def told_before(found: Sequence[Call], at: int) -> dict[str, bytes]:
    """Return what stood in each file that is told to, before call `at`."""
    told: dict[str, bytes] = {}
    for call in found[:at]:
        if call.kind == "told":
            told[call.path] = told.get(call.path, b"") + call.data
    return told


def cuts(recording: Recording, *, seeds: int = 2) -> Iterator[Cut]:
    """Yield cuts of the last run whose states differ: at every call, in the middle of each write,
    with every kind of luck, and `seeds` times at random.
    """
    seen: set[str] = set()
    found = recording.calls
    for at in range(recording.last_from, len(found) + 1):
        torn = at < len(found) and found[at].kind in {"write", "append"}
        tried = [Cut(at, luck, at) for luck in LUCKS]
        tried += [Cut(at, "random", at + seed * 10_007) for seed in range(1, seeds)]
        if torn:
            lucks: tuple[Luck, ...] = ("all", "random", "prefix")
            tried += [Cut(at, luck, at + 1, torn=True) for luck in lucks]
        told = told_before(found, at)
        for cut in tried:
            tree = _tree(left_after(found, cut).root)
            mark = sha256(repr((sorted(tree.items()), sorted(told.items()))).encode()).hexdigest()
            if mark not in seen:
                seen.add(mark)
                yield cut


def lay_out(path: Path, recording: Recording, cut: Cut) -> Folder:
    """Return a real folder with what was left on the disk, and what had been told."""
    folder = Folder(path, WORKFLOW)
    folder.runs = recording.folder.runs
    _write_tree(left_after(recording.calls, cut).root, path, {})
    for name, data in told_before(recording.calls, cut.at).items():
        (path / name).write_bytes(data)
    return folder


def survives(path: Path, recording: Recording, cut: Cut) -> None:
    """Cut the power, start the real command once more in what is left, and check."""
    folder = lay_out(path, recording, cut)
    assert folder.finish(most=1) == recording.outputs
    folder.check()
    check_journal(folder)


def check_journal(folder: Folder) -> None:
    """Every event that was told stands in the journal."""
    there = {}
    for line in (folder.task / "journal.jsonl").read_bytes().splitlines():
        with contextlib.suppress(ValueError):  # room written ahead, or a torn end: left as it is
            event = json.loads(line)  # by a resume that had nothing to do
            there[event["seq"]] = event
    for number in range(folder.runs):
        path = folder.path / f"events-{number}"
        for line in path.read_bytes().splitlines() if path.exists() else ():
            told = json.loads(line)
            if "result" in told:
                continue  # the ending once more: it is told, and no event
            found = there.get(told["seq"], {})
            same = all(found.get(key) == told.get(key) for key in ("type", "step", "attempt"))
            assert same, f"event {told['seq']} was told and is lost: {told}"


def _tree(folder: Inode, path: str = "") -> dict[str, bytes | None]:
    """Return what a modelled folder holds: bytes of files, None for folders."""
    found: dict[str, bytes | None] = {}
    for name, inode in folder.names.items():
        below = f"{path}/{name}"
        found[below] = None if inode.folder else bytes(inode.data)
        if inode.folder:
            found |= _tree(inode, below)
    return found


def _real_tree(root: Path) -> dict[str, bytes | None]:
    there = [root, *root.rglob("*")]
    above = root.parent
    return {
        f"/{path.relative_to(above)}": path.read_bytes() if path.is_file() else None
        for path in there
    }


def _write_tree(folder: Inode, path: Path, made: dict[int, Path]) -> None:
    """Make what a modelled folder holds; two names of one file are two names of one file again."""
    for name, inode in folder.names.items():
        below = path / name
        if inode.folder:
            below.mkdir(mode=0o700)
            _write_tree(inode, below, made)
        elif inode.number in made:
            below.hardlink_to(made[inode.number])
        else:
            made[inode.number] = below
            below.touch(mode=0o600)
            below.write_bytes(inode.data)
