"""Says whether what an attempt brought is a success, and if not, what kind of failure it is.

Owns parsing by `output:`, the repair of broken JSON, `checks`, and the way from evidence to a
`Failure` by the classifier, the user's rules first. No failure leaves here with a secret in it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from agentrun.core.failure import CATEGORY_OF, Evidence, Failure, Kind, Verdict
from agentrun.core.model import Json, OutputSpec, Step
from agentrun.core.outcome import Success
from agentrun.runner.result import Done, Failed, found
from agentrun.steps.kind import StepContext
from agentrun.steps.log import FileLog
from agentrun.steps.output import BadOutput, parse
from agentrun.steps.redact import Redactor

if TYPE_CHECKING:
    from agentrun.failures.rules import Rule

MAX_MESSAGE_CHARS = 2000
MAX_TAIL_BYTES = 4096
MAX_ANSWER_IN_MESSAGE = 500


class Judge:
    """Judges the attempts of one task. `rules` are the project's own, tried before the built-in."""

    def __init__(
        self, redactor: Redactor, rules: Sequence["Rule"], now: Callable[[], float]
    ) -> None:
        self.redactor = redactor
        self._rules = rules
        self._now = now

    async def succeeded(
        self, outcome: Success, step: Step, ctx: StepContext, names: Mapping[str, Any]
    ) -> Done | Failed:
        """Parse and check what a kind returned."""
        repairs: tuple[str, ...] = ()
        try:
            output = parse(outcome.output, step.output)
        except BadOutput as bad:
            mended = self._mend(outcome.output, step)
            if mended is None:
                return Failed(
                    self._bad_output(bad, outcome, ctx),
                    usage=outcome.usage,
                    session=outcome.session,
                    output=outcome.output,
                )
            output, repairs = mended
        if step.checks:
            used = None if outcome.usage is None else outcome.usage.as_json()
            scope = {**names, "output": output, "exit_code": outcome.exit_code, "usage": used}
            for check in step.checks:
                broken = await self._check(check, ctx, scope)
                if broken is not None:
                    return Failed(
                        broken, usage=outcome.usage, session=outcome.session, output=output
                    )
        return Done(
            output,
            exit_code=outcome.exit_code,
            usage=outcome.usage,
            session=outcome.session,
            extra=dict(outcome.extra) or None,
            repairs=repairs,
        )

    def failed(self, evidence: Evidence, log: FileLog) -> Failed:
        """Classify what a kind left behind."""
        return Failed(self.failure(evidence, log.tail(MAX_TAIL_BYTES)), output=evidence.text)

    def timed_out(self, text: str, log: FileLog) -> Failed:
        """Return the failure of an attempt that was ended at its own limit."""
        limit = "idle_timeout" if "no output for" in text else "timeout"
        hint = f"raise `{limit}:`, or find out in the log what it waits for"
        tail = log.tail(MAX_TAIL_BYTES)
        return Failed(found(Kind.TIMEOUT, text, "step.timeout", hint, tail=tail))

    def failure(self, evidence: Evidence, tail: str = "") -> Failure:
        """Return evidence as the failure that stands in the journal."""
        from agentrun.failures.classify import classify
        from agentrun.failures.effects import nothing_took_effect
        from agentrun.failures.facts import facts_of
        from agentrun.failures.hints import hint_for

        clean = self._without_secrets(_encodable(evidence))
        verdict: Verdict = classify(clean, self._rules, now=self._now())
        return Failure(
            verdict.category,
            verdict.kind,
            _message(clean),
            rule=verdict.rule,
            evidence=verdict.evidence,
            hint=hint_for(verdict, self._rules),
            retry_after_s=verdict.retry_after_s,
            exit_code=clean.exit_code,
            signal=clean.signal,
            exception=clean.exception,
            status=facts_of(clean).status,
            tail=tail or clean.text[-MAX_TAIL_BYTES:],
            took_effect=not nothing_took_effect(clean, verdict),
        )

    async def remedy(self, command: str, ctx: StepContext) -> Failed | None:
        """Run a declared remedy before the attempt; return the failure when it does not work."""
        ctx.log.write(f"[agentrun] remedy: {command}\n".encode())
        outcome = await run_command(command, ctx)
        if isinstance(outcome, Success):
            return None
        return Failed(self.failure(outcome, ctx.log.tail(MAX_TAIL_BYTES)))

    async def _check(
        self, check: str, ctx: StepContext, names: Mapping[str, Any]
    ) -> Failure | None:
        """Ask one check: wholly `${{ }}` it is an expression, any other is a command."""
        from agentrun.workflow.expressions import evaluate
        from agentrun.workflow.template import single

        if single(check) is not None:
            if evaluate(check, names):
                return None
            return self._broken_check(check, f"it is false for {_short(names['output'])}")
        from agentrun.workflow.shell import render_shell

        script, values = render_shell(check, names)
        mark = f"[agentrun] check: {check}\n"
        ctx.log.write(mark.encode())
        checked = await run_command(script, ctx, values)
        if isinstance(checked, Success):
            return None
        printed = checked.text.rpartition(mark)[2].strip()[-400:]
        told = f"exit code {checked.exit_code}"
        return self._broken_check(check, f"{told}: {printed}" if printed else told)

    def _broken_check(self, check: str, why: str) -> Failure:
        message = self.redactor.text(f"check failed: {check}: {why}")[:MAX_MESSAGE_CHARS]
        hint = "the step ended well but not right; see what it did in its log"
        return Failure(CATEGORY_OF[Kind.LOGIC], Kind.LOGIC, message, "step.check", check, hint)

    def _bad_output(self, bad: BadOutput, outcome: Success, ctx: StepContext) -> Failure:
        answer = _short(outcome.output)
        message = self.redactor.text(f"the output does not fit: {bad.message}; it was {answer}")
        return Failure(
            CATEGORY_OF[Kind.OUTPUT_FORMAT],
            Kind.OUTPUT_FORMAT,
            message[:MAX_MESSAGE_CHARS],
            rule="step.output",
            evidence=self.redactor.text(bad.message)[:200],
            hint="the retry tells the agent what was wrong; or change `output:`",
            exit_code=outcome.exit_code,
            tail=ctx.log.tail(MAX_TAIL_BYTES),
        )

    def _mend(self, answer: Json, step: Step) -> tuple[Json, tuple[str, ...]] | None:
        if not isinstance(answer, str) or step.output.form not in {"json", "schema"}:
            return None
        from agentrun.recovery.repair_json import repair

        def fits(value: Json, spec: OutputSpec) -> Json:
            try:
                return parse(value, spec)
            except BadOutput as error:
                raise ValueError(error.message) from error

        mended = repair(answer, step.output, fits)
        return None if mended is None else (mended[0], (mended[1],))

    def _without_secrets(self, evidence: Evidence) -> Evidence:
        if not self.redactor:
            return evidence
        return msgspec.structs.replace(
            evidence,
            text=self.redactor.text(evidence.text),
            command=evidence.command and self.redactor.text(evidence.command),
            headers={name: self.redactor.text(v) for name, v in evidence.headers.items()},
        )


async def run_command(
    command: str, ctx: StepContext, values: Mapping[str, str] | None = None
) -> Success | Evidence:
    """Run a check or a remedy like a `run` step, in the step's folder and environment."""
    from agentrun.steps import registry

    env = {**ctx.env, **(values or {})}
    spec = {"command": command, "shell": "bash"}
    changed = msgspec.structs.replace(ctx, spec=spec, env=env, stdin=None, with_=None)
    return await registry.get("run").execute(changed)


def _encodable(evidence: Evidence) -> Evidence:
    """Return it with an escape for what no UTF-8 can hold: the failure goes into many files."""
    text = evidence.text.encode("utf-8", "backslashreplace").decode()
    return evidence if text == evidence.text else msgspec.structs.replace(evidence, text=text)


def _message(evidence: Evidence) -> str:
    """Say in one line what happened, for people."""
    told = next((line for line in reversed(evidence.text.splitlines()) if line.strip()), "")
    if evidence.status is not None:
        start = f"HTTP {evidence.status}"
    elif evidence.exception:
        start = evidence.exception
    elif evidence.signal:
        start = f"ended by {evidence.signal}"
    elif evidence.exit_code is not None:
        start = f"exit code {evidence.exit_code}"
    else:
        start = "failed"
    said = told.strip()
    if evidence.exception and said.startswith(f"{evidence.exception}:"):
        start, said = said, ""
    return (f"{start}: {said}" if said else start)[:MAX_MESSAGE_CHARS]


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else repr(value)
    if len(text) <= MAX_ANSWER_IN_MESSAGE:
        return repr(text) if isinstance(value, str) else text
    return f"{text[:MAX_ANSWER_IN_MESSAGE]!r}... ({len(text)} characters)"
