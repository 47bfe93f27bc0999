"""One attempt with a coding-agent CLI, whichever it is.

Owns the order: workspace, prompt, conversation, run, and what is kept of it. A session that turns
out to be gone or poisoned is replaced by a fresh one within the same attempt, once, with a summary
of what the lost one had said: nothing was answered in it, so no second attempt is owed.

Usage of a run that failed is noted with `TurnDone` (a failure carries none); that of a run that
worked stands in the `Success`. Each token is counted once.
"""

import asyncio
import contextlib
import uuid

import msgspec

from agentrun.core.failure import Evidence
from agentrun.core.model import Json
from agentrun.core.outcome import SessionKnown, Success, TurnDone, Usage
from agentrun.steps.agent import AgentSpec
from agentrun.steps.agents import memory, prices, prompt, workspace
from agentrun.steps.agents.contract import Answer, Ask, Dialect, Launch
from agentrun.steps.agents.dialects import dialect_of
from agentrun.steps.agents.memory import Conversation, Remembered
from agentrun.steps.agents.reading import Reading
from agentrun.steps.agents.running import Run, run_cli
from agentrun.steps.agents.verdict import (
    AgentConfigError,
    evidence_of,
    failure_of,
    is_strange,
    of_a_version,
)
from agentrun.steps.agents.written import spec_of
from agentrun.steps.kind import StepContext
from agentrun.steps.process import NotStarted, run_process

VERSION_TIMEOUT_S = 10.0


async def execute(ctx: StepContext) -> Success | Evidence:
    """Run the CLI once; twice when the session it should go on with is lost."""
    try:
        spec = spec_of(ctx.spec)
        dialect = dialect_of(spec)
        place = await workspace.enter(ctx, spec)
        attempt = _Attempt(ctx, spec, dialect, place)
        await attempt.count_the_one_before()
        memory.tell_missing(ctx, spec.session)
        run = await attempt.run(memory.conversation(ctx, spec.session, dialect))
        return await attempt.ended(run)
    except (AgentConfigError, prompt.PromptError, workspace.WorkspaceError) as error:
        return evidence_of(error)
    except NotStarted as error:
        return _not_started(error.evidence, dialect)


def _not_started(evidence: Evidence, dialect: Dialect) -> Evidence:
    if evidence.exit_code != 127 or not dialect.install:
        return evidence
    text = f"{evidence.text.rstrip()}; install it with `{dialect.install}`"
    return msgspec.structs.replace(evidence, text=text)


class _Attempt:
    def __init__(
        self, ctx: StepContext, spec: AgentSpec, dialect: Dialect, place: workspace.Workspace
    ) -> None:
        self._ctx, self._spec, self._dialect, self._place = ctx, spec, dialect, place
        self._past = memory.recall(ctx.state_dir)
        self._durable = ctx.session
        self._session: str | None = None
        above = f"{spec.system}\n\n" if spec.system and not dialect.system else ""
        self._task = prompt.task(ctx, f"{above}{spec.prompt}", spec.files, place.cwd)

    async def run(self, talk: Conversation) -> Run:
        """Converse; begin again when the session turns out to be lost."""
        run = await self._converse(talk)
        if talk.resume is None or not self._is_lost(run):
            return run
        why = (run.answer.error or run.aside).strip().split("\n", 1)[0]
        line = f"[agentrun] the session {talk.resume} is lost ({why}): beginning a fresh one\n"
        self._ctx.log.write(line.encode())
        fresh = "new" if talk.why == "next" else talk.why
        return await self._converse(Conversation(fresh, lost=talk.resume))

    def _is_lost(self, run: Run) -> bool:
        if run.exit is None or (run.exit.exit_code == 0 and not run.answer.failed):
            return False
        words = f"{run.answer.error}\n{run.aside}"
        gone = self._dialect.gone
        return bool((gone and gone.search(words)) or memory.POISON.search(words))

    async def _converse(self, talk: Conversation) -> Run:
        launch = self._dialect.launch(self._ask(talk))
        self._session = None
        if launch.session is not None:
            await self._session_known(launch.session, launch)
        self._remember(self._session or "", launch.counted, is_open=True)
        reading = Reading(self._dialect, self._ctx.log)
        try:
            run = await run_cli(
                self._ctx,
                reading,
                launch,
                self._place.cwd,
                lambda session: self._session_known(session, launch),
            )
        except asyncio.CancelledError:
            reading.end()
            await self._cut_off(reading.answer, launch)
            raise
        self._account(run, launch)
        return run

    def _ask(self, talk: Conversation) -> Ask:
        ctx, spec = self._ctx, self._spec
        lost_words = memory.summary(self._past, self._dialect) if talk.lost else ""
        ask = Ask(
            spec=spec,
            prompt=prompt.whole(
                ctx, self._task, talk, lost_words=lost_words, undone=self._place.undone
            ),
            env=ctx.env,
            scratch=ctx.state_dir,
            new_session=str(uuid.uuid4()),
            resume=talk.resume,
            fork=talk.fork,
            schema=prompt.schema_of(ctx.output),
            counted=talk.counted,
        )
        context = spec.context_tokens or prices.context_tokens(ask.model)
        prompt.check_size(ask.prompt, context, ask.model)
        return ask

    async def _version(self) -> str:
        """Return what the CLI calls its version; empty when it does not say."""
        ctx, said = self._ctx, bytearray()
        with contextlib.suppress(NotStarted, TimeoutError):
            async with asyncio.timeout(VERSION_TIMEOUT_S):
                await run_process(
                    (self._dialect.name, "--version"),
                    env=ctx.env,
                    cwd=self._place.cwd,
                    log=ctx.log,
                    note=ctx.note,
                    on_stdout=said.extend,
                )
        return said.decode("utf-8", "replace").strip().split("\n", 1)[0][:100]

    async def _session_known(self, session: str, launch: Launch) -> None:
        if session == self._session:
            return
        self._session = session
        self._remember(session, launch.counted, is_open=True)
        if session != self._durable:
            await self._ctx.note(SessionKnown(session))
            self._durable = session

    def _remember(self, session: str, counted: Usage | None, *, is_open: bool) -> None:
        ctx, name = self._ctx, self._dialect.name
        so_far = (counted or Usage()) if self._dialect.cumulative else None
        log = memory.log_path(ctx)
        known = Remembered(session, name, ctx.round, so_far, log, is_open)
        memory.remember(ctx.state_dir, known)

    def _account(self, run: Run, launch: Launch) -> None:
        """Turn what the CLI told of its usage into what this run alone used."""
        told, session = run.answer.usage, self._session or ""
        self._remember(session, told or launch.counted, is_open=False)
        if told is None:
            run.answer.usage = Usage(requests=1) if run.answer.complete else None
        else:
            used = _less(told, launch.counted)
            run.answer.usage = prices.priced(used, launch.model, self._dialect.name)

    async def _cut_off(self, answer: Answer, launch: Launch) -> None:
        """Count what a run used that was ended before its end (a timeout, a signal)."""
        session = self._session or ""
        told, used = self._spent(answer, session, launch.counted, launch.model)
        self._remember(session, told, is_open=False)
        # that it is durable is not waited for: a stop does not end before its attempts have
        self._noting = asyncio.ensure_future(self._ctx.note(TurnDone(None, used)))
        await asyncio.sleep(0)

    async def count_the_one_before(self) -> None:
        """Count what the attempt before used when agentrun died with it."""
        past = self._past
        if past is None or not past.open or past.cli != self._dialect.name:
            return
        answer = memory.logged(past, self._dialect)
        told, used = self._spent(answer, past.session, past.counted, None)
        await self._ctx.note(TurnDone(None, used))
        self._past = msgspec.structs.replace(past, counted=told, open=False)
        memory.remember(self._ctx.state_dir, self._past)

    def _spent(
        self, answer: Answer, session: str, counted: Usage | None, model: str | None
    ) -> tuple[Usage | None, Usage]:
        """Return what a run that was cut off has told, and what it used: at least that."""
        told: Usage | None = answer.told
        if self._dialect.used is not None:
            told = self._dialect.used(self._ctx.env, session) or counted
        used = prices.priced(_less(told or Usage(), counted), model, self._dialect.name)
        return told, msgspec.structs.replace(used, usd_unknown=not answer.complete)

    async def ended(self, run: Run) -> Success | Evidence:
        """Return what the run means for the step."""
        answer = run.answer
        failure = failure_of(run, self._dialect, deny_fails=self._spec.deny_is_failure)
        if failure is not None:
            if is_strange(run, self._dialect):
                version = await self._version()
                failure = of_a_version(failure, run, self._dialect, version)
            await self._used(answer.usage)
            return failure
        extra: dict[str, Json] = {"denials": list(answer.denials)} if answer.denials else {}
        try:
            extra |= await self._place.kept(self._ctx.log)
        except workspace.WorkspaceError:
            await self._used(answer.usage)
            raise
        result = "" if answer.result is None else answer.result
        return Success(result, 0, answer.usage, self._session, tuple(extra.items()))

    async def _used(self, usage: Usage | None) -> None:
        """Count what a run used that is no success."""
        if usage is not None and _counts(usage):
            await self._ctx.note(TurnDone(None, usage))


def _counts(usage: Usage) -> bool:
    return bool(usage.input_tokens or usage.output_tokens or usage.usd)


def _less(told: Usage, counted: Usage | None) -> Usage:
    if counted is None:
        return told
    return msgspec.structs.replace(
        told,
        input_tokens=max(0, told.input_tokens - counted.input_tokens),
        output_tokens=max(0, told.output_tokens - counted.output_tokens),
        cached_tokens=max(0, told.cached_tokens - counted.cached_tokens),
    )
