"""A git worktree per step: real git, a fake agent."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agentrun.core.failure import Evidence, Kind
from agentrun.core.outcome import Success
from agentrun.failures.classify import classify
from agentrun.steps.agents import workspace
from tests.agents.fake_cli import FakeCli, recorded
from tests.agents.world import World, failure

Fake = Callable[[str], FakeCli]
SPEC = {"cli": "claude", "prompt": "x", "workspace": "worktree"}
COMMIT = "git -C 'd/a sub' -c user.name=t -c user.email=t@t commit -qm x --allow-empty"
FAILED = failure(Kind.NETWORK, "reset")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repo(world: World) -> Path:
    git(world.work, "init", "-q")
    (world.work / "a.txt").write_text("one\n")
    (world.work / "sub").mkdir()
    (world.work / "sub" / "b.txt").write_text("b\n")
    git(world.work, "add", ".")
    git(world.work, "commit", "-qm", "first")
    return world.work


def works(fake: Fake, *scripts: str) -> FakeCli:
    claude = fake("claude")
    out, err, code = recorded("claude.answer")
    for script in scripts:
        claude.prints(out, err, code, then=script)
    return claude


def test_the_change_is_a_patch_and_the_repository_stays(
    world: World, repo: Path, fake: Fake
) -> None:
    works(fake, "echo two >> a.txt; echo new > new.txt; printf '\\000\\001' > bin")
    outcome = world.attempt(SPEC)
    assert isinstance(outcome, Success)
    patch = dict(outcome.extra)["patch"]
    assert "+two" in patch
    assert (repo / "a.txt").read_text() == "one\n"
    (repo.parent / "p.patch").write_text(patch)
    git(repo, "apply", "--check", str(repo.parent / "p.patch"))


def test_what_the_agent_committed_is_in_the_patch(world: World, repo: Path, fake: Fake) -> None:
    commit = "git -c user.name=t -c user.email=t@t commit -qam change"
    works(fake, f"echo two >> a.txt; {commit} >&2; echo three >> a.txt")
    outcome = world.attempt(SPEC)
    assert isinstance(outcome, Success)
    assert "+two\n+three" in dict(outcome.extra)["patch"]


def test_a_folder_below_the_top_stays_below(world: World, repo: Path, fake: Fake) -> None:
    works(fake, "pwd > where")
    outcome = world.attempt(SPEC, cwd=repo / "sub")
    assert isinstance(outcome, Success)
    tree = Path(dict(outcome.extra)["worktree"])
    assert (tree / "sub" / "where").read_text().strip() == str(tree / "sub")


@pytest.mark.parametrize(("on_retry", "kept"), [("keep", True), ("reset", False)])
def test_a_retry_finds_the_changes_or_not(
    world: World, repo: Path, fake: Fake, on_retry: str, kept: bool
) -> None:
    claude = works(fake, "echo two >> a.txt; echo junk > junk; exit 1", "true")
    spec = {**SPEC, "on_retry": on_retry}
    first = world.attempt(spec)
    assert isinstance(first, Evidence)
    second = world.attempt(spec, last_failure=FAILED, session=world.sessions[0])
    assert isinstance(second, Success)
    assert ("+two" in dict(second.extra)["patch"]) is kept
    assert ("were undone" in claude.calls[1].stdin) is not kept


def test_a_lock_of_an_agent_that_was_ended_keeps_nothing_from_being_undone(
    world: World, repo: Path, fake: Fake
) -> None:
    leave = 'touch "$(git rev-parse --git-dir)/index.lock"'
    works(fake, f"echo two >> a.txt; {leave}; exit 1", "true")
    spec = {**SPEC, "on_retry": "reset"}
    world.attempt(spec)
    second = world.attempt(spec, last_failure=FAILED, session=world.sessions[0])
    assert isinstance(second, Success)
    assert "+two" not in dict(second.extra)["patch"]


def test_interrupted_work_is_never_undone(world: World, repo: Path, fake: Fake) -> None:
    works(fake, "echo two >> a.txt; exit 1", "true")
    spec = {**SPEC, "on_retry": "reset"}
    world.attempt(spec)
    second = world.attempt(spec, session=world.sessions[0])
    assert isinstance(second, Success)
    assert "+two" in dict(second.extra)["patch"]


def test_a_worktree_that_was_half_made_is_made_again(world: World, repo: Path, fake: Fake) -> None:
    works(fake, "echo two >> a.txt")
    git(repo, "worktree", "add", "--detach", str(world.state / "worktree"))
    (world.state / "worktree.json").write_text('{"base')
    (world.state / "worktree" / "rest").write_text("of a killed start")
    outcome = world.attempt(SPEC)
    assert isinstance(outcome, Success)
    assert "+two" in dict(outcome.extra)["patch"]
    assert "rest" not in dict(outcome.extra)["patch"]


@pytest.mark.parametrize(("key", "round_", "kept"), [("k2", 2, True), ("k2", 1, False)])
def test_a_round_finds_the_changes_a_reset_step_does_not(
    world: World, repo: Path, fake: Fake, key: str, round_: int, kept: bool
) -> None:
    works(fake, "echo two >> a.txt", "true")
    world.attempt(SPEC, idempotency_key="k1")
    second = world.attempt(SPEC, idempotency_key=key, round=round_)
    assert isinstance(second, Success)
    assert ("+two" in dict(second.extra)["patch"]) is kept


def test_many_at_once_do_not_collide(world: World, repo: Path, fake: Fake) -> None:
    works(fake, 'echo "$AGENTRUN_STEP" >> a.txt')

    async def all_at_once() -> list[Success | Evidence]:
        from agentrun.steps.agent import KIND

        jobs = []
        for index in range(6):
            state = world.folder / f"state-{index}"
            state.mkdir()
            env = {**world.env, "AGENTRUN_STEP": f"item-{index}"}
            jobs.append(KIND.execute(world.context(SPEC, state_dir=state, env=env)))
        return await asyncio.gather(*jobs)

    for index, outcome in enumerate(asyncio.run(all_at_once())):
        assert isinstance(outcome, Success)
        assert f"+item-{index}\n" in dict(outcome.extra)["patch"]


CONFIG = """
[diff]
    noprefix = true
    external = false
    relative = true
[color]
    ui = always
"""


def test_the_patch_is_for_git_apply_whatever_git_is_told_to_show(
    world: World, repo: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.folder / ".gitconfig").write_text(CONFIG)
    monkeypatch.setenv("HOME", str(world.folder))
    works(fake, "echo two >> a.txt; printf 'caf\\351\\n' > latin.txt")
    outcome = world.attempt(SPEC)
    assert isinstance(outcome, Success)
    patch = dict(outcome.extra)["patch"].encode("utf-8", "surrogateescape")
    (repo.parent / "p.patch").write_bytes(patch)
    git(repo, "apply", str(repo.parent / "p.patch"))
    assert (repo / "latin.txt").read_bytes() == b"caf\xe9\n"


@pytest.mark.parametrize("more", ["true", COMMIT])
def test_a_repository_within_is_left_out_and_named(
    world: World, repo: Path, fake: Fake, more: str
) -> None:
    works(fake, f"mkdir d; git init -q 'd/a sub'; {more}; echo two >> a.txt; echo f > d/f")
    outcome = world.attempt(SPEC)
    assert isinstance(outcome, Success)
    patch = dict(outcome.extra)["patch"]
    assert "+two" in patch
    assert "+f" in patch
    assert "a sub" not in patch
    assert "d/a sub" in world.log.tail()


def test_work_whose_patch_can_not_be_kept_is_paid_for_all_the_same(
    world: World, repo: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "MAX_PATCH_BYTES", 10)
    works(fake, "echo two >> a.txt")
    outcome = world.attempt(SPEC)
    assert isinstance(outcome, Evidence)
    assert "ignore generated files" in outcome.text
    assert [turn.usage.input_tokens for turn in world.turns if turn.usage] == [1000]


def test_without_a_repository(world: World, fake: Fake) -> None:
    works(fake, "true")
    outcome = world.attempt(SPEC)
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.INVALID_CONFIG
    assert "git repository" in outcome.text


def test_forgotten_with_gits_record_of_it(world: World, repo: Path, fake: Fake) -> None:
    works(fake, "true")
    world.attempt(SPEC)
    workspace.forget(world.state)
    assert "worktree" not in git(repo, "worktree", "list")
    assert not (world.state / "worktree").exists()
