"""A CLI described in the workflow: which command, and where things stand in its JSON.

A path is dotted: keys of objects and indices of lists (`choices.0.text`, -1 is the last). What a
later line says stands over what an earlier one said.
"""

import shlex
from collections.abc import Mapping
from functools import partial

from agentrun.core.model import Json
from agentrun.core.outcome import Usage
from agentrun.steps.agent import GenericCli, UsagePaths
from agentrun.steps.agents.contract import Answer, Ask, Dialect, Launch, as_int, as_status, as_usd

_FORMS: Mapping[str, str] = {"json": "value", "jsonl": "lines", "text": "text"}


def dialect(cli: GenericCli) -> Dialect:
    """Return the described CLI as a dialect."""
    return Dialect(
        name=cli.name or _words(cli.command)[0].rpartition("/")[2],
        launch=partial(launch, cli),
        read=partial(read, cli),
        form=_FORMS[cli.format],  # type: ignore[arg-type] # a Literal by the line above
        ends=False,
        system="{system}" in " ".join(_words(cli.command)),
        resumes=cli.resume is not None,
    )


def launch(cli: GenericCli, ask: Ask) -> Launch:
    """Return the command with the prompt in its place."""
    resumed = ask.resume is not None and cli.resume is not None
    words = _words(cli.resume if resumed and cli.resume else cli.command)
    if cli.prompt == "arg" and not any("{prompt}" in word for word in words):
        words.append("{prompt}")
    values = {
        "{prompt}": ask.prompt,
        "{session}": ask.resume or ask.new_session,
        "{model}": ask.model or "",
        "{system}": ask.spec.system or "",
    }
    command = tuple(_filled(word, values) for word in words)
    named = ask.resume if resumed else None
    if not resumed and any("{session}" in word for word in words):
        named = ask.new_session
    stdin = ask.prompt.encode() if cli.prompt == "stdin" else None
    return Launch((*command, *ask.spec.args), dict(cli.env), stdin, named, model=ask.model)


def _words(command: str | list[str]) -> list[str]:
    words = shlex.split(command) if isinstance(command, str) else list(command)
    if not words:
        raise ValueError("`command` of the `cli` is empty")
    return words


def _filled(word: str, values: Mapping[str, str]) -> str:
    """Replace the placeholders in one pass: a prompt that holds `{session}` stays as it is."""
    filled, rest = "", word
    while rest:
        found = [(rest.find(name), name) for name in values if name in rest]
        if not found:
            return filled + rest
        start, name = min(found)
        filled += rest[:start] + values[name]
        rest = rest[start + len(name) :]
    return filled


def read(cli: GenericCli, value: Json, answer: Answer) -> None:
    """Take one JSON value, or the text."""
    if cli.format == "text":
        answer.result = value
        answer.complete = True
        return
    _read_answer(cli, value, answer)
    _read_failure(cli, value, answer)
    if answer.usage is None or cli.format == "jsonl":
        usage = _usage(cli.usage, cli.cost, value)
        answer.usage = usage if usage is not None else answer.usage


def _read_answer(cli: GenericCli, value: Json, answer: Answer) -> None:
    result = at(value, cli.result)
    if result is not None:
        answer.result, answer.complete = result, True
        answer.said.append(str(result))
    session = at(value, cli.session)
    if isinstance(session, str | int) and session != "":
        answer.session = str(session)
    denials = at(value, cli.denials)
    if isinstance(denials, list):
        answer.denials += [str(denial) for denial in denials]


def _read_failure(cli: GenericCli, value: Json, answer: Answer) -> None:
    status = as_status(at(value, cli.status))
    error = at(value, cli.error)
    if error not in (None, "", False, [], {}):
        answer.fail(error if isinstance(error, str) else str(error), status)
    if at(value, cli.is_error) is True:
        answer.fail("" if answer.error else str(at(value, cli.result) or ""), status)


def _usage(paths: UsagePaths | None, cost: str | None, value: Json) -> Usage | None:
    tokens_in = at(value, paths.input_tokens) if paths else None
    tokens_out = at(value, paths.output_tokens) if paths else None
    usd = at(value, cost)
    if tokens_in is None and tokens_out is None and usd is None:
        return None
    return Usage(as_int(tokens_in), as_int(tokens_out), 1, as_usd(usd))


def at(value: Json, path: str | None) -> Json:
    """Return what stands at a dotted path; None where it leads nowhere."""
    if path is None:
        return None
    for key in path.split("."):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.lstrip("-").isdigit():
            value = value[int(key)] if -len(value) <= int(key) < len(value) else None
        else:
            return None
    return value
