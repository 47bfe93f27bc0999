"""From checked models to the frozen dataclasses of `core/model.py`.

Owns nothing but the copying: every value was checked before.
"""

from collections.abc import Mapping
from typing import Any

from agentrun.core import model as core
from agentrun.workflow import schema
from agentrun.workflow.findings import Findings
from agentrun.workflow.output_spec import read_output
from agentrun.workflow.rules import read_rules
from agentrun.workflow.steps import StepDraft, WayDraft
from agentrun.workflow.yaml_source import Path

DEFAULT_ROUNDS = 10


def env(values: Mapping[str, Any], path: Path, findings: Findings) -> dict[str, str]:
    """Return an environment as text; numbers and booleans as they were written (`1.10`)."""
    found = {}
    for key, value in values.items():
        raw = findings.source.node((*path, key)).raw
        found[key] = value if isinstance(value, str) else str(raw or value)
    return found


def retry(given: schema.RetryModel | None) -> core.RetryPolicy | None:
    """Return the retry policy of a step."""
    if given is None:
        return None
    return core.RetryPolicy(
        max_attempts=given.max_attempts,
        delay_s=given.delay,
        backoff=given.backoff,
        factor=given.factor,
        max_delay_s=given.max_delay,
        jitter=given.jitter,
        max_elapsed_s=given.max_elapsed,
        on=tuple(given.on),
    )


def step(draft: StepDraft, needs: tuple[str, ...], findings: Findings) -> core.Step | None:
    """Return the step of a draft, without its hash; None when some part of it is wrong."""
    given, way = draft.model, draft.way
    if given is None or way is None or way.spec is None:
        return None
    rules = read_rules(
        given.on_error,
        draft.place("on_error"),
        findings,
        way.kind.name,
        has_fallback=bool(given.fallback),
    )
    return core.Step(
        id=given.id,
        kind=way.kind.name,
        spec=way.spec,
        needs=needs,
        name=given.name,
        if_=given.if_,
        for_each=given.for_each,
        as_=given.as_ or "item",
        max_parallel=given.max_parallel,
        until=given.until,
        max_rounds=given.max_rounds or (DEFAULT_ROUNDS if given.until is not None else None),
        timeout_s=given.timeout,
        idle_timeout_s=given.idle_timeout,
        retry=retry(given.retry),
        on_error=rules,
        fallback=_alternatives(draft),
        checks=tuple(given.checks),
        output=read_output(given.output, draft.place("output"), findings),
        env=env(given.env, draft.place("env"), findings),
        cwd=given.cwd,
        stdin=given.stdin,
        with_=given.with_,
        component=given.component or _component(way),
        idempotent=given.idempotent,
        continue_on_error=given.continue_on_error,
        remedies=tuple(
            core.Remedy(run=each.run, kind=tuple(each.match.kind), text=each.match.text)
            for each in given.remedies
        ),
        line=findings.source.place(draft.path)[0],
    )


def _component(way: WayDraft) -> str | None:
    """Return what a way depends on; None where only an expression knows."""
    spec = way.spec or {}
    told = all("${{" not in str(spec.get(field)) for field in way.kind.component_from)
    return way.kind.component(spec) if told else None


def _alternatives(draft: StepDraft) -> tuple[core.Alternative, ...]:
    return tuple(
        core.Alternative(
            kind=way.kind.name,
            spec=way.spec,
            with_=way.raw.get("with"),
            component=way.raw.get("component") or _component(way),
        )
        for way in draft.alternatives
        if way.spec is not None
    )


def inputs(given: Mapping[str, schema.InputModel | None]) -> dict[str, core.Input]:
    """Return the inputs; one without a default is required."""
    found = {}
    for name, each in given.items():
        entry = each or schema.InputModel()
        found[name] = core.Input(
            type=entry.type,
            description=entry.description,
            required="default" not in entry.model_fields_set,
            default=entry.default,
            enum=tuple(entry.enum or ()),
        )
    return found


def limit(given: schema.LimitModel) -> core.Limit:
    """Return the limit of one component."""
    calls, per_s = given.rate or (None, 1.0)
    return core.Limit(concurrency=given.concurrency, rate=calls, per_s=per_s)


def breaker(given: schema.BreakerModel) -> core.BreakerPolicy:
    """Return the breaker of one component."""
    return core.BreakerPolicy(given.failures, given.window, given.cooldown)


def budget(given: schema.BudgetModel) -> core.Budget:
    """Return the bounds of the task."""
    return core.Budget(given.usd, given.tokens, given.time)
