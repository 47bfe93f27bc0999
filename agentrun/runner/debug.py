"""The Debugger's part in the loop: investigate an incident, apply one fix, or call a person.

Each stage is an event, so a crash at any point loses nothing and applies nothing twice: an incident
without a decision is investigated again, a fix that was recorded is verified by the next attempt.
"""

from pathlib import Path

from agentrun.core import address, events as ev
from agentrun.core.model import DebuggerPolicy, Json, Step, Workflow
from agentrun.core.outcome import Usage
from agentrun.recovery.debugger.analysts import agent, without_agent
from agentrun.recovery.debugger.choice import Chosen, choose, proposals
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import Fix, adjustments_of, kind_of
from agentrun.recovery.debugger.incident import Incident, ancestors, gather
from agentrun.recovery.debugger.memory import FixMemory
from agentrun.recovery.debugger.nearby import files_below
from agentrun.runner.desk import Desk
from agentrun.runner.edit import stale_after
from agentrun.runner.order import Order
from agentrun.runner.result import Done
from agentrun.workflow.expressions import text_of

AGENT_TIMEOUT_S = 600.0


class Debugging:
    """Works on incidents. `knowledge` is shared by all tasks of the checkpoint folder."""

    def __init__(self, desk: Desk, knowledge: FixMemory) -> None:
        self._desk = desk
        self._knowledge = knowledge

    def open(self, key: str) -> None:
        """Take an incident: investigate it beside the loop, then decide."""
        state = self._desk.state.step(key)
        if state.fix is not None and state.failure is not None:
            # The fix was recorded, and the crash came before its attempt was: verify it now.
            self._verify(key, 0.0, "the fix that was recorded before the crash")
            return
        incident = incident_of(self._desk, key)
        self._desk.record(ev.IncidentOpened(key, incident.fingerprint))
        self._desk.loop.start_work(key, self._investigate(incident))

    def judge(self, key: str, *, worked: bool) -> None:
        """Record whether the fix that was being verified worked, and learn from it."""
        applied = self._desk.state.step(key).fix
        if applied is None:
            return
        self._desk.record(ev.FixJudged(key, applied.fingerprint, applied.fix, worked))
        fix = Fix(str(applied.fix["type"]), applied.fix.get("params") or {})
        task_id, now = self._desk.state.task_id, self._desk.with_.clock.now()
        self._knowledge.learn(applied.fingerprint, fix, task_id, now, worked=worked)

    async def _investigate(self, incident: Incident) -> None:
        policy = self._desk.workflow.debugger or DebuggerPolicy(autofix="suggest")
        failure, now = incident.failure, self._desk.with_.clock.now()
        self._knowledge.saw(
            incident.fingerprint,
            incident.step.id,
            failure.kind,
            failure.message,
            self._desk.state.task_id,
            now,
        )
        diagnoses = list(without_agent(incident, self._knowledge, now))
        chosen, usage = choose(incident, diagnoses, policy), None
        if chosen is None and policy.agent is not None and policy.autofix != "off":
            asked, usage = await self._ask(incident, policy.agent, diagnoses)
            diagnoses += asked
            chosen = choose(incident, diagnoses, policy)
        self._desk.loop.release(incident.key)
        self._desk.loop.deliver(lambda: self._decide(incident, diagnoses, chosen, usage))

    async def _ask(
        self, incident: Incident, spec: Json, diagnoses: list[Diagnosis]
    ) -> tuple[list[Diagnosis], Usage | None]:
        """Ask the configured agent. One that fails has nothing to say; the log has its reasons."""
        order = self._question(incident, dict(spec), diagnoses)
        result = await self._desk.with_.analyst.perform(order)
        if isinstance(result, Done) and isinstance(result.output, dict):
            return [agent.diagnosis(result.output)], result.usage
        return [], result.usage

    def _question(
        self, incident: Incident, spec: dict[str, Json], diagnoses: list[Diagnosis]
    ) -> Order:
        step = Step(
            id="debugger",
            kind="agent",
            spec={"session": "fresh", **spec, "prompt": agent.prompt(incident, diagnoses)},
            output=agent.ANSWER,
            timeout_s=AGENT_TIMEOUT_S,
        )
        state = self._desk.state.step(f"{incident.key}/debugger")
        return Order(
            key=f"{incident.key}/debugger",
            number=incident.state.attempts,
            step=step,
            state=state,
            workflow=Workflow("debugger", (step,)),
            names={},
            idempotency_key=f"{incident.fingerprint}-{incident.state.attempts}",
        )

    def _decide(
        self,
        incident: Incident,
        diagnoses: list[Diagnosis],
        chosen: Chosen | None,
        usage: Usage | None,
    ) -> None:
        key = incident.key
        if not self._desk.state.step(key).undecided:
            return
        if chosen is None:
            self._escalate(incident, diagnoses, usage)
            return
        fix, diagnosis = chosen.fix, chosen.diagnosis
        adjustments = adjustments_of(fix, incident)
        event = ev.FixApplied(
            key,
            incident.fingerprint,
            fix.as_json(),
            diagnosis.analyst,
            diagnosis.cause,
            diagnosis.confidence,
            adjustments,
            usage,
        )
        self._desk.record(event)
        self._take_course(incident, fix)

    def _take_course(self, incident: Incident, fix: Fix) -> None:
        key, kind = incident.key, kind_of(fix.type)
        assert kind is not None
        match kind.course:
            case "attempt":
                self._verify(key, 0.0, f"fix {fix.type}: {fix.reason}")
            case "wait":
                self._verify(key, float(fix.params["seconds"]), f"fix wait: {fix.reason}")
            case "fallback":
                alternative = incident.state.alternative + 1
                self._desk.record(ev.FallbackTaken(key, alternative, f"fix: {fix.reason}"))
            case "skip":
                self._desk.record(ev.StepSkipped(key, f"fix: {fix.reason}"))
            case "rerun":
                upstream = address.inside(address.parent_scope(key), str(fix.params["step"]))
                state = self._desk.state
                stale = stale_after(self._desk.workflow, state, [upstream])
                known = tuple(each for each in stale if each in state.steps)
                self._desk.record(ev.StepsReset(known, f"fix: {fix.reason}"))

    def _verify(self, key: str, delay_s: float, reason: str) -> None:
        state, now = self._desk.state.step(key), self._desk.with_.clock.now()
        number = state.attempts + 1
        self._desk.record(ev.RetryScheduled(key, number, number, now + delay_s, delay_s, reason))

    def _escalate(
        self, incident: Incident, diagnoses: list[Diagnosis], usage: Usage | None
    ) -> None:
        """Give the incident to a person, with everything in hand."""
        best = diagnoses[0] if diagnoses else Diagnosis("the cause is not known", "nobody")
        proposed = proposals(incident, diagnoses)
        self._desk.record(
            ev.Diagnosed(
                incident.key,
                incident.fingerprint,
                best.cause,
                best.analyst,
                tuple(fix.as_json() for fix in proposed),
                usage,
            )
        )
        if self._desk.workflow.debugger is None:
            self._desk.record(ev.StepGaveUp(incident.key, reason=best.cause))
            return
        many = f", {len(proposed)} fix(es) proposed" if proposed else ""
        question = f"{incident.key}: {incident.failure.kind}: {best.cause}{many}"
        self._desk.record(ev.PersonAsked(incident.key, question, "escalation"))


def incident_of(desk: Desk, key: str) -> Incident:
    """Gather everything that is known about a failed step."""
    workflow, scope = desk.schedule.workflow_of(key), address.parent_scope(key)
    step = desk.schedule.step(key)
    previews = {
        each: text_of(desk.outputs.of_step(inner, desk.state.step(inner)))
        for each in ancestors(workflow, step)
        if desk.state.step(inner := address.inside(scope, each)).status == "succeeded"
    }
    inputs = desk.names(key)["inputs"]
    return gather(
        key,
        workflow,
        desk.state,
        previews=previews,
        inputs=inputs if isinstance(inputs, dict) else {},
        environ=frozenset(desk.with_.environ),
        near_files=tuple(files_below(Path(desk.state.cwd))),
        succeeded_before=desk.with_.successes(step.content_hash),
    )
