"""Stubs and injected faults, so that a workflow can be tested without what it works with.

    agentrun run triage.yaml --stub stubs.yaml --inject 'issues=429x2'

A stub file maps steps to what they bring; a step without one runs for real:

    issues: [{number: 1}]                     # its output
    label: {output: {label: bug}}             # the same, written out; for every item
    label[1]: {failure: rate_limit, times: 2, output: {label: docs}}
    sub/check: {failure: {kind: logic, message: two tests fail}}
    gate: ship                                # the answer of an approval; a `wait` is over at once

Owns what stubs say and the performer that says it in place of the real one. An output is judged by
the step's `output:` and by checks that are expressions; checks that are commands are left out,
since they look at what the step would have done. Refuses to know where stubs come from (stubs.py).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from agentrun.core import address
from agentrun.core.failure import Evidence, Failure, Kind
from agentrun.core.model import Json, OutputSpec
from agentrun.runner.order import Order, Performer
from agentrun.runner.result import Done, Failed, Result, found

if TYPE_CHECKING:
    from agentrun.runner.judge import Judge


class Fault(Struct, frozen=True):
    """How an attempt is made to fail: by a kind, or by an HTTP status that is then classified."""

    kind: Kind | None = None
    status: int | None = None
    message: str = ""
    exit_code: int | None = None


class Stub(Struct, frozen=True):
    """What a step brings. `fault` holds for the first `times` attempts, 0 for all of them. `final`
    says that the output has been parsed and checked before: it was recorded.
    """

    output: Json = None
    exit_code: int | None = None
    extra: Mapping[str, Json] | None = None
    fault: Fault | None = None
    times: int = 0
    final: bool = False


class Stubs(Struct, frozen=True):
    """All stubs of a run, and the faults to inject before anything real or stubbed is done."""

    steps: Mapping[str, Stub] = {}
    faults: Mapping[str, tuple[Fault, int]] = {}
    source: str = ""

    def find(self, key: str) -> Stub | None:
        """Return the stub of a step: of the item itself, else of all items alike."""
        return next((self.steps[name] for name in _names_of(key) if name in self.steps), None)

    def fault(self, key: str, attempt: int) -> Fault | None:
        """Return the fault that this attempt is given."""
        for name in _names_of(key):
            if name in self.faults:
                fault, times = self.faults[name]
                return fault if attempt <= times else None
        return None

    def covers(self, key: str, attempt: int) -> bool:
        """Return whether the attempt is stubbed or made to fail, so that nothing real happens."""
        return self.find(key) is not None or self.fault(key, attempt) is not None

    def __bool__(self) -> bool:
        return bool(self.steps or self.faults)


def _names_of(key: str) -> tuple[str, ...]:
    """Return the names that a stub of this address may have, the most exact first."""
    plain = "/".join(part.partition("[")[0] for part in key.split("/"))
    all_items = address.parent_loop(key)
    return (key, plain) if all_items is None else (key, all_items, plain)


class Stubbed:
    """A performer that gives what the stubs say, and leaves the rest to the real one."""

    def __init__(self, real: Performer, stubs: Stubs, judge: "Judge") -> None:
        self._real, self._stubs, self._judge = real, stubs, judge

    async def perform(self, order: Order) -> Result:
        """Perform one attempt, or bring what was said of it."""
        fault = self._stubs.fault(order.key, order.number)
        if fault is not None:
            return Failed(failure_of(fault, self._judge))
        stub = self._stubs.find(order.key)
        if stub is None:
            return await self._real.perform(order)
        if stub.fault is not None and (stub.times == 0 or order.number <= stub.times):
            return Failed(failure_of(stub.fault, self._judge))
        if stub.final:
            return Done(stub.output, stub.exit_code, extra=stub.extra)
        return self._judged(stub, order)

    def _judged(self, stub: Stub, order: Order) -> Result:
        from agentrun.steps.output import BadOutput
        from agentrun.workflow.expressions import ExpressionError, evaluate
        from agentrun.workflow.template import single

        try:
            output = _parsed(stub.output, order.step.output)
        except BadOutput as bad:
            text = f"the output does not fit: {bad.message}"
            return Failed(found(Kind.OUTPUT_FORMAT, text, "step.output"), output=stub.output)
        scope = {**order.names, "output": output, "exit_code": stub.exit_code, "usage": None}
        for check in order.step.checks:
            if single(check) is None:
                continue
            try:
                holds = bool(evaluate(check, scope))
            except ExpressionError as error:
                return Failed(found(Kind.INVALID_CONFIG, str(error), "expression", error.hint))
            if not holds:
                return Failed(found(Kind.LOGIC, f"check failed: {check}", "step.check"))
        return Done(output, stub.exit_code, extra=stub.extra)


def _parsed(output: Json, spec: OutputSpec) -> Json:
    """Return a stub's output as the step's `output:` wants it."""
    from agentrun.steps.output import parse

    if spec.form == "lines" and isinstance(output, list):
        return output
    return parse(output, spec)


def failure_of(fault: Fault, judge: "Judge | None" = None) -> Failure:
    """Return a fault as the failure that the real thing would have been."""
    if fault.status is not None and judge is not None:
        text = fault.message or "injected"
        return judge.failure(Evidence("http", text, status=fault.status))
    kind = fault.kind or Kind.UNKNOWN
    failure = found(kind, fault.message or f"injected: {kind}", "stub")
    return structs.replace(failure, exit_code=fault.exit_code)
