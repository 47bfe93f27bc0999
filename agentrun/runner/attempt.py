"""One attempt of one step, from its rendered form to `Done` or `Failed`.

Owns the order of an attempt: adjust, render, remedy, execute within its limits, parse, check,
judge. The one place where an exception of a step becomes a `Failure`. Refuses to know the journal,
the retries and the order of steps; it is told what it needs and answers with data.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from agentrun.core.failure import Evidence, Failure, Kind
from agentrun.core.model import Json, Step
from agentrun.core.outcome import Note
from agentrun.core.value import encoded
from agentrun.errors import NotWritable
from agentrun.recovery.adjust.apply import Adjusted, adjusted
from agentrun.recovery.fallback import way
from agentrun.runner.judge import Judge
from agentrun.runner.names import Names, rendered_env
from agentrun.runner.order import Order
from agentrun.runner.result import Done, Failed, Result, found
from agentrun.steps import registry
from agentrun.steps.kind import StepContext, StepKind
from agentrun.steps.log import FileLog
from agentrun.workflow.expressions import ExpressionError, ValueTooLarge, has_expression, render

MAX_LAST_ERROR_BYTES = 64 * 1024
NO_FOLDER = Path()


class Places(Protocol):
    """Where an attempt may keep things."""

    def log_path(self, step: str, attempt: int) -> Path: ...
    def state_dir(self, step: str) -> Path: ...


class Attempts:
    """Performs attempts of one task in this process."""

    def __init__(
        self,
        *,
        task_id: str,
        cwd: Path,
        base_dir: Path,
        places: Places,
        judge: Judge,
        environ: Mapping[str, str],
        monotonic: Callable[[], float],
        note: Callable[[str, int, Note], Awaitable[None]],
        watch: Callable[[str, int, bytes], None],
    ) -> None:
        self._task_id = task_id
        self._cwd, self._base_dir, self._places = cwd, base_dir, places
        self._judge, self._environ = judge, environ
        self._monotonic, self._note, self._watch = monotonic, note, watch

    async def perform(self, order: Order) -> Result:
        """Perform one attempt. Raises CancelledError when it is interrupted, and NotWritable when
        its log can't be kept; every other end is data.
        """
        began = self._monotonic()
        key, number = order.key, order.number
        log = FileLog(
            lambda: self._places.log_path(key, number),  # most functions print nothing
            self._judge.redactor,
            watch=lambda data: self._watch(key, number, data),
        )
        try:
            result = await self._within_limits(order, log)
        finally:
            log.close()
        if log.error is not None:
            raise self._not_writable(log.path, log.error) from log.error
        return msgspec.structs.replace(result, duration_s=round(self._monotonic() - began, 6))

    def _not_writable(self, path: Path, error: OSError) -> NotWritable:
        again = f"agentrun resume {self._task_id}"
        hint = f"What was acknowledged before is safe. Cure the cause, then: {again}"
        return NotWritable(f"can't write {path}: {error.strerror or error}", hint)

    async def _within_limits(self, order: Order, log: FileLog) -> Result:
        change = adjusted(way(order.step, order.state.alternative), order.state.adjustments)
        step = change.step
        try:
            if step.timeout_s is not None:
                return await self._in_time(order, change, log, step.timeout_s)
            return await self._watched(order, change, log)
        except IdleTimeout as idle:
            return self._judge.timed_out(str(idle), log)
        except ValueTooLarge as error:
            return Failed(found(Kind.INPUT_FORMAT, str(error), "value.too_large", error.hint))
        except ExpressionError as error:
            return Failed(found(Kind.INVALID_CONFIG, str(error), "expression", error.hint))
        except UnicodeEncodeError as error:
            text = f"a value holds what is no UTF-8: {error.object[error.start : error.end]!r}"
            return Failed(found(Kind.INPUT_FORMAT, text, "value.no_utf8"))
        except UnreadablePrompt as error:
            return Failed(found(error.kind, str(error), "prompt_file"))

    async def _in_time(
        self, order: Order, change: Adjusted, log: FileLog, timeout_s: float
    ) -> Result:
        """Run it, and end it when it takes longer than that."""
        try:
            async with asyncio.timeout(timeout_s) as limit:
                return await self._watched(order, change, log)
        except TimeoutError:
            if not limit.expired():
                raise
            text = f"timed out: the attempt took longer than its limit of {timeout_s:g} s"
            return self._judge.timed_out(text, log)

    async def _watched(self, order: Order, change: Adjusted, log: FileLog) -> Result:
        """Run it, and end it when it has printed nothing for its `idle_timeout`."""
        idle_timeout_s = change.step.idle_timeout_s
        if idle_timeout_s is None:
            return await self._run(order, change, log)
        work = asyncio.ensure_future(self._run(order, change, log))
        try:
            while True:
                left = log.last_write_monotonic + idle_timeout_s - self._monotonic()
                if left <= 0:
                    raise IdleTimeout(f"timed out: no output for {idle_timeout_s:g} s")
                done, _ = await asyncio.wait({work}, timeout=left)
                if done:
                    return work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work})

    async def _run(self, order: Order, change: Adjusted, log: FileLog) -> Result:
        step, kind = change.step, registry.get(change.step.kind)
        ctx = self._context(order, change, kind, log)
        for remedy in _new_remedies(change, order):
            broken = await self._judge.remedy(remedy, ctx)
            if broken is not None:
                return broken
        if not change.edits:
            return await self._execute(kind, ctx, step, order, log)
        from agentrun.runner.edits import EditRefused, edited

        try:
            with edited(change.edits, ctx.cwd, self._places.state_dir(order.key)) as keep:
                result = await self._execute(kind, ctx, step, order, log)
                if isinstance(result, Done):
                    keep()
                return result
        except EditRefused as refused:
            return Failed(found(Kind.INVALID_CONFIG, str(refused), "fix.edit_file"))

    async def _execute(
        self, kind: StepKind, ctx: StepContext, step: Step, order: Order, log: FileLog
    ) -> Result:
        outcome = await kind.execute(ctx)
        if isinstance(outcome, Evidence):
            return self._judge.failed(outcome, log)
        return await self._judge.succeeded(outcome, step, ctx, _names_inside(order, ctx.own_env))

    def _context(self, order: Order, change: Adjusted, kind: StepKind, log: FileLog) -> StepContext:
        step, key = change.step, order.key
        is_process = bool(kind.program_text) or step.kind == "agent"
        isolated = order.elsewhere or is_isolated(step)
        state_dir = self._places.state_dir(key) if is_process else NO_FOLDER
        env_around, cwd_around = order.around()
        own_env = _mapping(
            lambda: self._own_env(order, change, env_around, state_dir if is_process else None),
            now=is_process or isolated,
        )
        names = _names_inside(order, own_env)
        spec, values = _render_spec(step, kind, names, self._base_dir)
        if values:
            own_env = {**own_env, **values}
        stdin, with_ = render(step.stdin, names), render(step.with_, names)
        if step.kind == "workflow":
            with_ = order.outputs
        if change.clean_input:
            from agentrun.recovery.adjust.input_format import cleaned

            stdin, with_ = cleaned(stdin), cleaned(with_)
        if change.input_share is not None:
            from agentrun.recovery.adjust.context_overflow import cut

            stdin = cut(stdin, change.input_share)
        return StepContext(
            task_id=self._task_id,
            step=key,
            attempt=order.number,
            round=order.state.round,
            spec=_shortened(spec, change.input_share),
            with_=with_,
            stdin=stdin,
            env=_mapping(lambda: {**self._environ, **own_env}, now=is_process or isolated),
            own_env=own_env,
            cwd=self._folder(order, step, cwd_around),
            base_dir=self._base_dir,
            state_dir=state_dir,
            log=log,
            output=step.output,
            note=lambda note: self._note(key, order.number, note),
            idempotency_key=order.idempotency_key,
            isolated=isolated,
            last_failure=order.state.failure,
            session=order.memory.session,
            messages=order.memory.messages,
            branched=order.memory.branched,
            timeout_s=step.timeout_s,
            prompt_additions=change.prompt_additions,
            alone=order.alone,
        )

    def _folder(self, order: Order, step: Step, cwd_around: str) -> Path:
        around = self._cwd / cwd_around if cwd_around else self._cwd
        return around if step.cwd is None else around / str(render(step.cwd, order.names))

    def _own_env(
        self, order: Order, change: Adjusted, around: Mapping[str, str], state_dir: Path | None
    ) -> dict[str, str]:
        own = {
            **rendered_env(order.workflow.env, order.names),
            **around,
            **rendered_env({**change.step.env, **change.env}, order.names),
        }
        own |= {
            "AGENTRUN_TASK_ID": self._task_id,
            "AGENTRUN_STEP": order.key,
            "AGENTRUN_ATTEMPT": str(order.number),
            "AGENTRUN_IDEMPOTENCY_KEY": order.idempotency_key,
            "AGENTRUN_WORKFLOW_DIR": str(self._base_dir),
        }
        if state_dir is not None:
            own["AGENTRUN_STATE_DIR"] = str(state_dir)
            try:
                own |= _prepared(state_dir, order.state.failure, with_tmp=change.tmp_in_state)
            except OSError as error:
                raise self._not_writable(state_dir, error) from error
        return own


class UnreadablePrompt(Exception):
    """A prompt file is not there, or is no text."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class IdleTimeout(Exception):
    """The attempt printed nothing for longer than its `idle_timeout`."""


def _mapping(make: Callable[[], dict[str, str]], *, now: bool) -> Mapping[str, str]:
    """Return the mapping, put together now or when somebody asks: most functions never do."""
    return make() if now else Names(make)


def _names_inside(order: Order, own_env: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the names of the attempt; `env` is what its process has."""
    return Names(lambda: {**order.names, "env": {**order.names["env"], **own_env}})


def _new_remedies(change: Adjusted, order: Order) -> list[str]:
    """Return the remedies that were declared for the last failure: each is run once."""
    new = order.state.adjustments[order.state.adjusted_before :]
    commands = {adjustment.change.get("run") for adjustment in new}
    return [remedy for remedy in change.remedies if remedy in commands]


def is_isolated(step: Step) -> bool:
    """Return whether a `python` step runs in a process of its own, since it must be ended."""
    limited = step.timeout_s is not None or step.idle_timeout_s is not None
    return limited or bool(step.env) or step.cwd is not None


def _render_spec(
    step: Step, kind: StepKind, names: Mapping[str, Any], base_dir: Path
) -> tuple[dict[str, Json], dict[str, str]]:
    """Return the spec without expressions, and the values that its program text refers to."""
    spec: dict[str, Json] = {}
    values: dict[str, str] = {}
    for field, raw in step.spec.items():
        if field in kind.program_text and has_expression(raw):
            from agentrun.workflow.shell import render_shell

            spec[field], values = render_shell(raw, names)
        else:
            spec[field] = render(raw, names)
    prompt_file = spec.get("prompt_file")
    if isinstance(prompt_file, str):
        from agentrun.workflow.expressions import render_prompt

        spec["prompt"] = render_prompt(_read_prompt(base_dir / prompt_file), names, base_dir)
    return spec, values


def _read_prompt(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise UnreadablePrompt(Kind.NOT_FOUND, f"there is no prompt file {path}") from None
    except OSError as error:
        text = f"can't read the prompt file {path}: {error.strerror}"
        raise UnreadablePrompt(Kind.PERMISSION, text) from error
    except UnicodeDecodeError as error:
        text = f"the prompt file {path} is not UTF-8 from byte {error.start} on"
        raise UnreadablePrompt(Kind.INPUT_FORMAT, text) from error


def _shortened(spec: dict[str, Json], share: float | None) -> dict[str, Json]:
    if share is None or "prompt" not in spec:
        return spec
    from agentrun.recovery.adjust.context_overflow import cut

    return spec | {"prompt": cut(spec["prompt"], share)}


def _prepared(state_dir: Path, last: Failure | None, *, with_tmp: bool) -> dict[str, str]:
    """Put into the step's own folder what its attempt finds there; return where that is."""
    own: dict[str, str] = {}
    if with_tmp:
        (state_dir / "tmp").mkdir(mode=0o700, exist_ok=True)
        own["TMPDIR"] = str(state_dir / "tmp")
    if last is not None:
        own["AGENTRUN_LAST_ERROR"] = _write_last_error(state_dir, last)
    return own


def _write_last_error(state_dir: Path, last: Failure) -> str:
    path = state_dir / "last_error.json"
    data = msgspec.json.format(encoded(last), indent=2)[:MAX_LAST_ERROR_BYTES]
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
    return str(path)
