"""Which fix is applied: the policy, and the bounds of a task."""

import pytest
from msgspec import structs

from agentrun.core.failure import Kind
from agentrun.core.model import Autofix, DebuggerPolicy, Remedy
from agentrun.core.state import StepState
from agentrun.recovery.debugger.choice import MIN_CONFIDENCE, choose, proposals
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import NAMES, Fix, problem_of, risk_of
from agentrun.recovery.debugger.incident import Incident
from tests.recovery.debugger.incidents import a_step, failure, incident
from tests.recovery.debugger.test_fixes import GOOD

WAIT, RETRY = Fix("wait", {"seconds": 1}), Fix("retry_once")
COMMAND = Fix("run_command", {"command": "make"})


def said(*fixes: Fix, confidence: float = 0.9) -> Diagnosis:
    return Diagnosis("cause", "rules", confidence, "", fixes)


def policy(autofix: Autofix = "safe", max_fixes: int = 2) -> DebuggerPolicy:
    return DebuggerPolicy(autofix=autofix, max_fixes=max_fixes)


def tried(of: Incident, *fixes: Fix) -> Incident:
    state = structs.replace(of.state, fixes=tuple(f"{of.fingerprint}:{fix.id}" for fix in fixes))
    return structs.replace(of, state=state)


def test_the_first_fix_of_the_first_diagnosis_is_taken() -> None:
    chosen = choose(incident(), [said(WAIT, RETRY), said(RETRY)], policy())
    assert chosen is not None
    assert chosen.fix == WAIT


@pytest.mark.parametrize("autofix", ["off", "suggest"])
def test_nothing_is_applied_below_safe(autofix: Autofix) -> None:
    for _name, params, of, _shown in GOOD:
        assert choose(of, [said(Fix(_name, params))], policy(autofix)) is None


def test_what_is_not_safe_is_applied_at_full_alone() -> None:
    risky = 0
    for name, params, of, _shown in GOOD:
        fix = Fix(name, params)
        at_safe, at_full = (choose(of, [said(fix)], policy(a)) for a in ("safe", "full"))
        assert at_full is not None
        assert (at_safe is None) == (risk_of(fix, of) == "full")
        risky += at_safe is None
    assert risky >= 3


def test_never_the_same_fix_twice_for_the_same_pattern() -> None:
    of = tried(incident(), WAIT)
    chosen = choose(of, [said(WAIT), said(WAIT, RETRY)], policy())
    assert chosen is not None
    assert chosen.fix == RETRY
    other = structs.replace(of, fingerprint="another")
    assert choose(other, [said(WAIT)], policy()) is not None


def test_never_more_fixes_than_the_policy_says_whatever_the_pattern() -> None:
    of = structs.replace(tried(incident(), WAIT, RETRY), fingerprint="another")
    assert choose(of, [said(Fix("wait", {"seconds": 9}))], policy(max_fixes=2)) is None
    assert choose(of, [said(Fix("wait", {"seconds": 9}))], policy(max_fixes=3)) is not None
    assert choose(incident(), [said(WAIT)], policy(max_fixes=0)) is None


def test_who_is_not_sure_is_not_believed() -> None:
    assert (
        choose(incident(), [said(WAIT, confidence=MIN_CONFIDENCE - 0.01)], policy("full")) is None
    )
    assert choose(incident(), [Diagnosis("c", "agent", fixes=(WAIT,))], policy("full")) is None


def test_a_step_with_side_effects_is_not_run_again_unless_nothing_took_effect() -> None:
    step = a_step(idempotent=False, remedies=(Remedy("make deps"),))
    fix = Fix("run_remedy", {"run": "make deps"})
    effects = incident(step, failure(Kind.MISSING_DEPENDENCY))
    none = incident(step, failure(Kind.MISSING_DEPENDENCY, took_effect=False))
    assert choose(effects, [said(fix)], policy("full")) is None
    assert choose(none, [said(fix)], policy()) is not None


def test_a_fix_that_does_not_exist_is_never_chosen() -> None:
    wrong = [Fix("rm_rf"), Fix(""), Fix("../x"), Fix("wait", {"seconds": 1, "command": "x"})]
    assert choose(incident(), [said(*wrong)], policy("full")) is None


def test_a_person_is_shown_each_fix_once_and_only_those_that_fit() -> None:
    shown = proposals(incident(), [said(WAIT, COMMAND), said(WAIT, Fix("clean_input"))])
    assert shown == [WAIT, COMMAND]
    assert proposals(incident(), [said(WAIT)], policy("off")) == []


def test_every_kind_of_fix_has_a_kind_file() -> None:
    of = incident(state=StepState())
    for name in NAMES:
        problem_of(Fix(name), of)
