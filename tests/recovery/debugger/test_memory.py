"""The memory of fixes: what it counts, what fades, who may write, and that damage stops nobody."""

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from agentrun.core.model import Step
from agentrun.recovery.debugger.analysts import memory as analyst
from agentrun.recovery.debugger.fixes import Fix
from agentrun.recovery.debugger.memory import (
    BURST_S,
    FADE_S,
    FORGET_S,
    MAX_FIXES,
    MAX_PATTERNS,
    FixMemory,
    Occasion,
    Seen,
)
from agentrun.store.manager import CheckpointManager
from tests.recovery.debugger.incidents import a_step, incident

NOW = 1_000_000_000.0
SEEN = Seen("f1", "a", "logic", "exit code 1: no")
FIX = Fix("wait", {"seconds": 5})
OTHER = Fix("retry_once")


@pytest.fixture
def memory(tmp_path: Path) -> FixMemory:
    return FixMemory(CheckpointManager(tmp_path).shared)


def at(task: str, now: float, name: str | None = None) -> Occasion:
    return Occasion(task, name or f"at {now}", now)


def learnt(memory: FixMemory, fix: Fix, worked: int, failed: int, now: float = NOW) -> None:
    for number in range(worked + failed):
        memory.learn(SEEN, fix, at(f"task-{fix.type}-{number}", now), worked=number < worked)


def test_an_incident_is_counted_with_what_people_need_to_know_it(memory: FixMemory) -> None:
    memory.saw(SEEN, at("t1", NOW))
    (pattern,) = memory.patterns(NOW)
    assert (pattern.step, pattern.kind, pattern.text) == ("a", "logic", "exit code 1: no")
    assert (pattern.seen, pattern.last) == (1, NOW)


def test_a_burst_counts_once(memory: FixMemory) -> None:
    for second in range(50):
        memory.saw(SEEN, at("t1", NOW + second / 10))
        memory.learn(SEEN, FIX, at("t1", NOW + second / 10), worked=False)
    (pattern,) = memory.patterns(NOW)
    assert (pattern.seen, pattern.fixes[0].tries) == (1, 1)
    memory.saw(SEEN, at("t1", NOW + 5 + BURST_S))
    memory.saw(SEEN, at("t2", NOW + 5 + BURST_S))
    assert memory.patterns(NOW)[0].seen == 3


def test_what_is_told_again_after_a_crash_counts_once_however_late_the_resume(
    memory: FixMemory,
) -> None:
    for late in (0, 7 * BURST_S):
        memory.saw(SEEN, at("t1", NOW + late, "a attempt 0.1"))
        memory.learn(SEEN, FIX, at("t1", NOW + late, "a fix 1"), worked=True)
    (pattern,) = memory.patterns(NOW)
    assert (pattern.seen, pattern.fixes[0].tries, pattern.fixes[0].worked) == (1, 1, 1)
    memory.learn(SEEN, FIX, at("t1", NOW + 14 * BURST_S, "a fix 2"), worked=True)
    memory.learn(SEEN, FIX, at("t2", NOW + 14 * BURST_S, "a fix 2"), worked=True)
    assert memory.patterns(NOW + 14 * BURST_S)[0].fixes[0].tries == 3


def test_a_clock_that_was_set_back_is_no_burst(memory: FixMemory) -> None:
    memory.saw(SEEN, at("t1", NOW))
    memory.saw(SEEN, at("t1", NOW - 3600))
    assert memory.patterns(NOW)[0].seen == 2


def test_the_fix_that_worked_more_often_comes_first(memory: FixMemory) -> None:
    learnt(memory, OTHER, worked=2, failed=2)
    learnt(memory, FIX, worked=3, failed=1)
    assert [each.fix.type for each in memory.recall("f1", NOW)] == ["wait", "retry_once"]


def test_knowledge_fades(memory: FixMemory) -> None:
    learnt(memory, FIX, worked=4, failed=0)
    (fresh,), (old,) = memory.recall("f1", NOW), memory.recall("f1", NOW + FADE_S)
    assert (fresh.tries, old.tries) == (4, 2)
    assert fresh.chance > old.chance > 0.5


def test_what_was_not_seen_for_long_goes(memory: FixMemory) -> None:
    memory.saw(SEEN, at("t1", NOW))
    memory.saw(Seen("f2"), at("t1", NOW + FORGET_S + 1))
    assert [each.fingerprint for each in memory.patterns(NOW)] == ["f2"]


def test_what_a_person_chose_is_kept_although_the_failure_was_never_counted(
    memory: FixMemory,
) -> None:
    memory.saw(Seen("f2"), at("t1", NOW))
    memory.learn(SEEN, FIX, at("t1", NOW), worked=True)
    assert memory.recall("f1", NOW)[0].worked == 1
    assert {each.text for each in memory.patterns(NOW)} == {"", "exit code 1: no"}


def test_it_is_bounded(memory: FixMemory) -> None:
    for number in range(MAX_FIXES + 5):
        memory.learn(SEEN, Fix("wait", {"seconds": number}), at("t", NOW + number), worked=True)
    assert len(memory.recall("f1", NOW)) == MAX_FIXES
    patterns = {f"p{n}": {"last": NOW + n} for n in range(MAX_PATTERNS + 5)}
    memory.import_({"patterns": patterns}, NOW + 1e6)
    found = memory.patterns(NOW)
    assert len(found) == MAX_PATTERNS
    assert found[0].fingerprint == f"p{MAX_PATTERNS + 4}"


def test_its_file_stays_small_whatever_the_fixes_hold(memory: FixMemory, tmp_path: Path) -> None:
    text = "x" * 4000
    fixes = {
        str(n): {"fix": {"type": "add_to_prompt", "params": {"text": f"{n}{text}"}}}
        for n in range(MAX_FIXES)
    }
    patterns = {f"p{n}": {"last": NOW, "fixes": fixes} for n in range(200)}
    memory.import_({"patterns": patterns}, NOW)
    assert (tmp_path / ".agentrun" / "fixes.json").stat().st_size < 5 << 20
    assert memory.patterns(NOW)


# --- many writers -------------------------------------------------------------------------------


def write_many(root: Path, name: int) -> None:
    memory = FixMemory(CheckpointManager(root).shared)
    for number in range(25):
        memory.saw(SEEN, at(f"task-{name}-{number}", NOW))
        memory.learn(SEEN, FIX, at(f"task-{name}-{number}", NOW), worked=True)


def test_concurrent_writers_lose_nothing(memory: FixMemory, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("fork")
    writers = [spawn.Process(target=write_many, args=(tmp_path, name)) for name in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    (pattern,) = memory.patterns(NOW)
    assert (pattern.seen, pattern.fixes[0].tries, pattern.fixes[0].worked) == (100, 100, 100)


# --- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        "\x00\x00",
        '{"patterns": 5}',
        '{"patterns": {"f1": []}}',
        '{"patterns": {"f1": {"fixes": {"x": 1}}}}',
        '{"patterns": {"f1": {"fixes": {"x": {"fix": {"type": 1}}}}}}',
        '{"patterns": {"f1": {"last": NaN}}}',
        '{"patterns": {"f1": {"last": 1e999}}}',
        '{"patterns": {"f1": {"fixes": {"x": {"fix": {"type": "wait"}, "tries": -3}}}}}',
    ],
)
def test_a_damaged_file_is_as_if_nothing_were_known(
    memory: FixMemory, tmp_path: Path, text: str
) -> None:
    folder = tmp_path / ".agentrun"
    folder.mkdir(parents=True)
    (folder / "fixes.json").write_text(text)
    assert memory.recall("f1", NOW) == ()
    memory.saw(SEEN, at("t1", NOW))
    memory.learn(SEEN, FIX, at("t1", NOW), worked=True)
    assert memory.recall("f1", NOW)[0].worked == 1


def test_one_bad_entry_does_not_take_the_others_with_it(memory: FixMemory, tmp_path: Path) -> None:
    learnt(memory, FIX, worked=1, failed=0)
    path = tmp_path / ".agentrun" / "fixes.json"
    data = json.loads(path.read_text())
    data["patterns"]["bad"] = {"fixes": 7}
    path.write_text(json.dumps(data))
    memory.saw(Seen("f2"), at("t2", NOW))
    assert {each.fingerprint for each in memory.patterns(NOW)} == {"f1", "f2"}


def test_a_memory_that_cannot_be_written_stops_nothing(memory: FixMemory, tmp_path: Path) -> None:
    folder = tmp_path / ".agentrun"
    folder.mkdir(parents=True)
    (folder / "fixes.json").mkdir()
    memory.saw(SEEN, at("t1", NOW))
    memory.learn(SEEN, FIX, at("t1", NOW), worked=True)
    assert memory.recall("f1", NOW) == ()
    assert memory.patterns(NOW) == []


# --- taking it along ----------------------------------------------------------------------------


def test_it_can_be_taken_to_another_folder(memory: FixMemory, tmp_path: Path) -> None:
    learnt(memory, FIX, worked=2, failed=1)
    other = FixMemory(CheckpointManager(tmp_path / "other").shared)
    exported = json.loads(json.dumps(memory.export()))
    assert (other.import_(exported, NOW), other.import_(exported, NOW)) == (1, 0)
    assert other.recall("f1", NOW) == memory.recall("f1", NOW)


def test_what_is_known_already_is_not_overwritten(memory: FixMemory) -> None:
    learnt(memory, FIX, worked=2, failed=0)
    assert memory.import_({"patterns": {"f1": {"last": NOW}}}, NOW) == 0
    assert memory.recall("f1", NOW)


def test_nobody_elses_commands_come_along(memory: FixMemory) -> None:
    fixes = {
        "1": {"fix": {"type": "run_command", "params": {"command": "curl x | sh"}}, "tries": 9, "worked": 9},
        "2": {"fix": {"type": "edit_file", "params": {}}, "tries": 9, "worked": 9},
        "3": {"fix": {"type": "no_such"}, "tries": 9, "worked": 9},
        "4": {"fix": {"type": "wait", "params": {"seconds": 1}}, "tries": 9, "worked": 9},
    }  # fmt: skip
    memory.import_({"patterns": {"f1": {"last": NOW, "fixes": fixes}}}, NOW)
    assert [each.fix.type for each in memory.recall("f1", NOW)] == ["wait"]


def test_a_moment_to_come_does_not_push_out_what_is_known(memory: FixMemory) -> None:
    learnt(memory, FIX, worked=1, failed=0)
    memory.import_({"patterns": {"f2": {"last": NOW * 10}}}, NOW)
    assert {each.fingerprint for each in memory.patterns(NOW)} == {"f1", "f2"}


@pytest.mark.parametrize(
    "data", [None, [], 5, {}, {"patterns": 1}, {"patterns": {"a": {"fixes": 1}}}]
)
def test_what_is_no_memory_is_refused(memory: FixMemory, data: Any) -> None:
    with pytest.raises(ValueError, match="no memory"):
        memory.import_(data, NOW)


def test_it_can_be_forgotten(memory: FixMemory) -> None:
    learnt(memory, FIX, worked=1, failed=0)
    memory.clear()
    assert memory.patterns(NOW) == []
    memory.clear()


# --- the analyst --------------------------------------------------------------------------------


def test_the_analyst_proposes_what_worked_and_says_how_often(memory: FixMemory) -> None:
    of = incident()
    seen = Seen(of.fingerprint)
    assert analyst.analyse(of, memory, NOW) is None
    memory.learn(seen, FIX, at("t1", NOW), worked=True)
    memory.learn(seen, OTHER, at("t2", NOW), worked=False)
    said = analyst.analyse(of, memory, NOW)
    assert said is not None
    assert said.fixes == (FIX,)
    assert said.confidence == pytest.approx(2 / 3)
    assert "wait cured it in 1 of 1" in said.cause


def test_a_fix_that_works_half_the_time_is_not_proposed(memory: FixMemory) -> None:
    of = incident()
    for number in range(4):
        memory.learn(Seen(of.fingerprint), FIX, at(f"t{number}", NOW), worked=number % 2 == 0)
    assert analyst.analyse(of, memory, NOW) is None


DAY = Fix("set_parameter", {"name": "day", "value": "2026-11-23"})
REGION = Fix("set_env", {"name": "REGION", "value": "eu"})
HINT = Fix("add_to_prompt", {"text": "The day is the 23rd."})


@pytest.mark.parametrize(
    ("fix", "step", "inputs", "lasts"),
    [
        (DAY, a_step("python", with_={"day": "23.11.2026"}), {}, True),
        (DAY, a_step("python", with_={"day": "${{ steps.fetch.output }}"}), {}, False),
        (DAY, a_step("python", with_={"day": ["${{ item }}"]}), {}, False),
        (REGION, a_step(), {"region": "eu"}, True),
        (REGION, a_step(), {"region": "us"}, False),
        (REGION, a_step(), {}, True),
        (REGION, a_step(env={"REGION": "ue"}), {}, True),
        (REGION, a_step(env={"REGION": "${{ item }}"}), {}, False),
        (HINT, a_step("agent", spec={"prompt": "Which day?"}), {}, True),
        (HINT, a_step("agent", spec={"prompt": "Which day? ${{ item }}"}), {}, False),
        (HINT, a_step("agent", spec={"prompt_file": "p.md"}), {}, False),
    ],
)
def test_a_value_that_was_right_for_other_data_is_not_proposed(
    memory: FixMemory, fix: Fix, step: Step, inputs: dict[str, Any], lasts: bool
) -> None:
    of = incident(step, inputs=inputs)
    memory.learn(Seen(of.fingerprint), fix, at("t1", NOW), worked=True)
    said = analyst.analyse(of, memory, NOW)
    assert (said is not None and said.fixes == (fix,)) is lasts
