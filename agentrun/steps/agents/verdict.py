"""What the end of a CLI's run means: a success, or evidence of a failure.

A CLI's own report outranks its exit code: `is_error` with exit 0 is a failure. Its structured data
(status, headers) goes into the evidence; its raw output only if there is none.
"""

import re

import msgspec

from agentrun.core.failure import Evidence
from agentrun.steps.agents.contract import Answer, Dialect, as_status
from agentrun.steps.agents.reading import MAX_LINE_BYTES
from agentrun.steps.agents.running import Run

MAX_TEXT_CHARS = 16 * 1024
_SEEN_CHARS = 600
_FLAGS = re.compile(r"(?i)(?:unknown|unexpected|unrecogni[sz]ed) (?:option|argument|flag)")


class AgentConfigError(ValueError):
    """The step can't be performed as it is written."""


def evidence_of(error: Exception) -> Evidence:
    """Return an error of our own as evidence: its class says what kind it is."""
    names = tuple(base.__name__ for base in type(error).__mro__[:-1])
    return Evidence("python", str(error), exception=names[0], mro=names)


def failure_of(run: Run, dialect: Dialect, *, deny_fails: bool) -> Evidence | None:
    """Return why the run is not a success; None if it is one."""
    answer, ended, name = run.answer, run.exit, dialect.name
    if answer.flooded:
        text = f"{name} printed more than {MAX_LINE_BYTES >> 20} MiB at a stretch and was ended"
        return Evidence("llm", text, name, mro=("JSONDecodeError", "ValueError"))
    if ended is None:
        text = f"{name} waits by itself instead of failing: {answer.hopeless}"
        mro = ("ConnectionError", "OSError")
        return Evidence("llm", text, name, mro=mro)
    if ended.exit_code == 0 and not answer.failed:
        return _false_success(run, name, deny_fails=deny_fails)
    if answer.failed and ended.signal is None:
        return _reported(run, dialect, ended.exit_code)
    text = "\n".join(words for words in (answer.error, run.aside) if words)
    return Evidence(
        channel="subprocess",
        text=text[-MAX_TEXT_CHARS:],
        command=name,
        exit_code=ended.exit_code,
        signal=ended.signal,
    )


def _reported(run: Run, dialect: Dialect, exit_code: int | None) -> Evidence:
    answer, name = run.answer, dialect.name
    text = answer.error or run.aside or f"{name} reported a failure without a reason"
    return Evidence(
        channel="llm",
        text=text[:MAX_TEXT_CHARS],
        command=name,
        exit_code=exit_code,
        status=answer.status or _printed_status(run, dialect),
        headers=answer.headers,
    )


def _printed_status(run: Run, dialect: Dialect) -> int | None:
    """Return the status that stands in the words, for a CLI that tells it nowhere else."""
    for words in (run.answer.error, run.aside):
        if dialect.status and (found := dialect.status.search(words)):
            return as_status(next(group for group in found.groups() if group))
    return None


def _false_success(run: Run, name: str, *, deny_fails: bool) -> Evidence | None:
    """Return why exit 0 is not a success: no readable answer, or a tool call that was denied."""
    answer: Answer = run.answer
    if not answer.complete or answer.result is None:
        text = f"{name} ended with exit 0 and no answer that can be read; it printed: {_seen(run)}"
        return Evidence("llm", text, name, 0, mro=("JSONDecodeError", "ValueError"))
    if answer.denials and deny_fails:
        tools = ", ".join(dict.fromkeys(answer.denials))
        text = f"permission denied: {name} was not permitted to use {tools}"
        mro = ("PermissionError", "OSError")
        return Evidence("llm", text, name, 0, exception="PermissionError", mro=mro)
    return None


def _seen(run: Run) -> str:
    """Return the end of what it printed, in one line."""
    return " ".join(run.printed[-_SEEN_CHARS:].split()) or "nothing"


def is_strange(run: Run, dialect: Dialect) -> bool:
    """Return whether the CLI may be a version with other flags or other output."""
    answer, ended = run.answer, run.exit
    if not dialect.tested or ended is None or ended.signal is not None or answer.failed:
        return False
    if ended.exit_code == 0:
        return run.values > 0 and (not answer.complete or answer.result is None)
    return not answer.heard and (run.values > 0 or bool(_FLAGS.search(run.aside)))


def of_a_version(failure: Evidence, run: Run, dialect: Dialect, version: str) -> Evidence:
    """Return the failure of such a run with the version named. If none of its JSON is understood,
    the version itself is at fault.
    """
    name = dialect.name
    about = (
        f"{name} says that it is version {version or 'unknown'}; agentrun knows {dialect.tested}"
    )
    if _is_foreign(run):
        text = f"{name} prints JSON that agentrun can't read: {_seen(run)}. {about}"
        mro = ("UnknownVersionError", "Exception")
        return Evidence("llm", text, name, failure.exit_code, mro=mro)
    return msgspec.structs.replace(failure, text=f"{failure.text} ({about})")


def _is_foreign(run: Run) -> bool:
    """Return whether it printed JSON, none of which is understood."""
    return run.values > 0 and not run.answer.heard
