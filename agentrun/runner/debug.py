"""The Debugger's part in the loop: investigate an incident, apply one fix, or call a person.

Each stage is an event, so a crash at any point loses nothing and applies nothing twice: an incident
without a decision is investigated again, a fix that was recorded is verified by the next attempt.
"""

from pathlib import Path

from agentrun.core import address, events as ev
from agentrun.core.failure import Failure
from agentrun.core.model import DebuggerPolicy, Json, Step, Workflow
from agentrun.core.outcome import Usage
from agentrun.recovery.budget import used_up
from agentrun.recovery.debugger.analysts import agent, without_agent
from agentrun.recovery.debugger.choice import Chosen, choose, proposals
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import Fix, adjustments_of, kind_of
from agentrun.recovery.debugger.incident import Incident, gather, nearest
from agentrun.recovery.debugger.memory import FixMemory, Occasion, Seen
from agentrun.recovery.debugger.nearby import files_below
from agentrun.runner.begin import Beginning
from agentrun.runner.desk import Desk
from agentrun.runner.edit import stale_after
from agentrun.runner.order import Order
from agentrun.runner.result import Done
from agentrun.workflow.expressions import text_of

AGENT_TIMEOUT_S = 600.0


class Debugging:
    """Works on incidents. `knowledge` is shared by all tasks of the checkpoint folder."""

    def __init__(self, desk: Desk, knowledge: FixMemory, beginning: Beginning) -> None:
        self._desk = desk
        self._knowledge = knowledge
        self._beginning = beginning

    def go_on(self, key: str) -> None:
        """Go on with the fix that was recorded before a crash."""
        recorded = self._desk.state.step(key).fix
        assert recorded is not None
        self._take_course(key, Fix.from_json(recorded.fix))

    def open(self, key: str) -> None:
        """Take an incident: investigate it beside the loop, then decide."""
        self.judge(key, worked=False)  # a fix whose attempt failed for a reason that time cures
        incident = incident_of(self._desk, key)
        self._desk.record(ev.IncidentOpened(key, incident.fingerprint))
        self._desk.loop.start_work(key, self._investigate(incident))

    def judge(self, key: str, *, worked: bool) -> None:
        """Record whether the fix that was being verified worked, and learn from it."""
        state = self._desk.state.step(key)
        applied = state.fix
        if applied is None:
            return
        self._desk.record(ev.FixJudged(key, applied.fingerprint, applied.fix, worked))
        told = self._desk.redact(applied.fix)
        if told == applied.fix:  # what holds a secret is not kept where all tasks read it
            incident = Seen(applied.fingerprint, address.step_id(key), *_what(state.failure))
            when = self._occasion(f"{key} fix {len(state.fixes)}")
            self._knowledge.learn(incident, Fix.from_json(applied.fix), when, worked=worked)

    def _occasion(self, name: str) -> Occasion:
        return Occasion(self._desk.state.task_id, name, self._desk.with_.clock.now())

    @property
    def _policy(self) -> DebuggerPolicy:
        return self._desk.workflow.debugger or DebuggerPolicy(autofix="suggest")

    async def _investigate(self, incident: Incident) -> None:
        policy = self._policy
        now = self._desk.with_.clock.now()
        seen = Seen(incident.fingerprint, incident.step.id, *_what(incident.failure))
        failed = incident.state
        name = f"{incident.key} attempt {failed.generation}.{failed.attempts}"
        self._knowledge.saw(seen, self._occasion(name))
        diagnoses = list(without_agent(incident, self._knowledge, now))
        chosen, usage = choose(incident, diagnoses, policy), None
        spent = used_up(self._desk.workflow.budget, self._desk.state, now)
        asks = policy.agent is not None and policy.autofix != "off" and spent is None
        if chosen is None and asks:
            assert policy.agent is not None
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
        if isinstance(spec.get("cli"), str) and spec.get("permissions", "default") == "default":
            spec["permissions"] = "read"  # it reads what programs printed: it may not act on it
        step = Step(
            id="debugger",
            kind="agent",
            spec={**spec, "session": "fresh", "prompt": "${{ incident }}"},
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
            names={"env": {}, "incident": self._desk.redact(agent.prompt(incident, diagnoses))},
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
        self._take_course(key, fix)

    def _take_course(self, key: str, fix: Fix) -> None:
        """Record what the fix means for the order of things. Its own event comes before this one:
        a crash between the two ends here again (`go_on`).
        """
        kind = kind_of(fix.type)
        assert kind is not None
        match kind.course:
            case "attempt":
                self._verify(key, 0.0, f"fix {fix.type}: {fix.reason}")
            case "wait":
                self._verify(key, float(fix.params["seconds"]), f"fix wait: {fix.reason}")
            case "fallback":
                alternative = self._desk.state.step(key).alternative + 1
                self._desk.record(ev.FallbackTaken(key, alternative, f"fix: {fix.reason}"))
            case "skip":
                self._desk.record(ev.StepSkipped(key, f"fix: {fix.reason}"))
            case "rerun":
                upstream = address.inside(address.parent_scope(key), str(fix.params["step"]))
                state = self._desk.state
                stale = stale_after(self._desk.workflow, state, [upstream])
                known = tuple(each for each in stale if each in state.steps)
                for busy in [b for each in known for b in self._desk.loop.busy_keys(each)]:
                    self._beginning.release(busy)
                    self._desk.loop.cancel(busy)
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
        proposed = proposals(incident, diagnoses, self._policy)
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


def _what(failure: Failure | None) -> tuple[str, str]:
    return ("", "") if failure is None else (str(failure.kind), failure.message)


def incident_of(desk: Desk, key: str) -> Incident:
    """Gather everything that is known about a failed step."""
    workflow, scope = desk.schedule.workflow_of(key), address.parent_scope(key)
    step = desk.schedule.step(key)
    previews = {
        each: text_of(desk.outputs.of_step(inner, desk.state.step(inner)))
        for each in nearest(workflow, step)
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
