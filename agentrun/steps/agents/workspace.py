"""Where a coding agent works: in the step's folder, or in a git worktree of its own.

A worktree lies in the step's state folder, so steps, items and tasks never collide; it is detached
at the commit that was checked out when it was made. What the agent changed, committed or not, is
the difference from that commit: it becomes the step's `.patch` (text for `git apply`), stands in
the checkpoint and is applied to nothing by itself. Ignored files and repositories made within are
not part of it.

`on_retry: reset` puts the worktree back before a retry of a failed attempt; a person can look at
what the failed one left until then. Interrupted work is never undone. The worktree stays until the
state folder goes, so that rounds and checks find it; `forget` removes it with git's record of it.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from agentrun.core.model import Json
from agentrun.steps.agent import AgentSpec
from agentrun.steps.kind import AttemptLog, StepContext

FOLDER = "worktree"
BEGUN_FILE = "worktree.json"
LOCK_FILE = "agentrun-worktree.lock"
GIT_TIMEOUT_S = 300.0
MAX_PATCH_BYTES = 32 * 1024 * 1024
_PLAIN = (
    "--binary", "--unified=3", "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative",
    "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short",
)  # fmt: skip


class WorkspaceError(Exception):
    """A worktree can't be made or read."""


class WorkspaceConfigError(WorkspaceError):
    """There is no repository to make a worktree of."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder to work in. `tree` is the worktree's top, None when it is the step's own folder;
    `base` the commit it began at. `undone` says that earlier changes were rolled back.
    """

    cwd: Path
    tree: Path | None = None
    base: str = ""
    undone: bool = False

    async def kept(self, log: AttemptLog) -> dict[str, Json]:
        """Return what is kept of the work beside the answer; the log is told what is not."""
        if self.tree is None:
            return {}
        patch, left_out = await asyncio.to_thread(_patch, self.tree, self.base)
        for each in left_out:
            line = f"[agentrun] {each} is a git repository of its own: it is not in the patch\n"
            log.write(line.encode("utf-8", "surrogateescape"))
        return {"patch": patch, "worktree": str(self.tree)}


async def enter(ctx: StepContext, spec: AgentSpec) -> Workspace:
    """Return where the attempt works, made and reset as the step says."""
    if spec.workspace == "here":
        return Workspace(ctx.cwd)
    return await asyncio.to_thread(_enter, ctx, spec)


def _enter(ctx: StepContext, spec: AgentSpec) -> Workspace:
    tree, path = ctx.state_dir / FOLDER, ctx.state_dir / BEGUN_FILE
    below = _repo_git(ctx, "rev-parse", "--show-prefix").strip()
    begun, undone = _begun(path), False
    if begun is None or begun.is_over(ctx) or not _usable(tree):
        begun = Begun(_add(ctx, tree))
    elif spec.on_retry == "reset" and ctx.last_failure is not None:
        _reset(ctx, tree, begun.base)
        undone = True
    begun = Begun(begun.base, ctx.idempotency_key, ctx.round)
    path.write_bytes(msgspec.json.encode(begun))
    cwd = tree / below
    cwd.mkdir(parents=True, exist_ok=True)
    return Workspace(cwd, tree, begun.base, undone)


class Begun(Struct):
    """What `worktree.json` holds: the commit the worktree began at, and for which round of work."""

    base: str
    key: str = ""
    round: int = 1

    def is_over(self, ctx: StepContext) -> bool:
        """Return whether the step was reset since: its key is new, and it is no later round."""
        return self.key != ctx.idempotency_key and ctx.round <= self.round


def _begun(path: Path) -> Begun | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Begun)
    except (OSError, msgspec.DecodeError):
        return None


def _repo_git(ctx: StepContext, *arguments: str) -> str:
    try:
        return _git(ctx.cwd, *arguments)
    except WorkspaceError as error:
        raise WorkspaceConfigError(
            f"`workspace: worktree` can't be had: {ctx.cwd} is in no git repository with a commit"
        ) from error


def _usable(tree: Path) -> bool:
    if not (tree / ".git").exists():
        return False
    try:
        top = _git(tree, "rev-parse", "--show-toplevel")
    except WorkspaceError:
        return False
    return Path(top.strip()).resolve() == tree.resolve()


def _add(ctx: StepContext, tree: Path, at: str = "HEAD") -> str:
    """Make the worktree and return its commit; what was there before is replaced."""
    base = _repo_git(ctx, "rev-parse", "--verify", f"{at}^{{commit}}").strip()
    if tree.exists():
        shutil.rmtree(tree)
    with _alone(ctx.cwd):
        _git(ctx.cwd, "worktree", "add", "--force", "--force", "--detach", str(tree), base)
    return base


def _reset(ctx: StepContext, tree: Path, base: str) -> None:
    """Put it back; where git can't (a lock of an agent that was ended), make it anew."""
    try:
        _git(tree, "checkout", "--quiet", "--force", "--detach", base)
        _git(tree, "reset", "--quiet", "--hard", base)
        _git(tree, "clean", "--quiet", "-ffdx")
    except WorkspaceError:
        _add(ctx, tree, base)


def _patch(tree: Path, base: str) -> tuple[str, list[str]]:
    """Return the difference from the beginning, new files included, by an index of our own, and
    which new repositories are not in it. No setting of the user's git changes its form.
    """
    with tempfile.TemporaryDirectory(prefix="agentrun-") as folder:
        env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        _git(tree, "read-tree", base, env=env)
        others = _git(tree, "ls-files", "--others", "--exclude-standard", "-z", env=env)
        within = [each[:-1] for each in others.split("\0") if each.endswith("/")]
        but = [f":(exclude,literal){each}" for each in within]
        _git(tree, "add", "--all", "--", ".", *but, env=env)
        patch = _git(tree, "diff", "--cached", *_PLAIN, base, env=env)
    if len(patch) > MAX_PATCH_BYTES:
        raise WorkspaceError(
            f"the agent's change is {len(patch):,} characters, more than the {MAX_PATCH_BYTES:,}"
            f" that are kept; it is in {tree}: ignore generated files in .gitignore"
        )
    return patch, within


def forget(state_dir: Path) -> None:
    """Remove the worktree of a step and git's record of it; the step must be over."""
    tree = state_dir / FOLDER
    if (tree / ".git").is_file():
        with _alone(tree):
            _git(tree, "worktree", "remove", "--force", str(tree))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others from making worktrees of the same repository meanwhile: git trips over them."""
    common = Path(folder, _git(folder, "rev-parse", "--git-common-dir").strip())
    with (common / LOCK_FILE).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _git(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    command = ("git", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")
    try:
        done = subprocess.run(
            (*command, *arguments),
            cwd=folder,
            env=_plain_environment() | dict(env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WorkspaceError(f"git {arguments[0]}: {error}") from error
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip()
        raise WorkspaceError(f"git {' '.join(arguments[:2])}: {words}")
    return done.stdout.decode("utf-8", "surrogateescape")


def _plain_environment() -> dict[str, str]:
    """Return our environment without what would point git at another repository."""
    return {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {"LC_ALL": "C"}
