"""The text an agent is asked with.

Owns what is added to the workflow's own prompt: attached files, standard input, what the answer
must look like, and what an agent must know when it does not begin afresh. Refuses to render
expressions (the prompt arrives rendered) and to cut anything.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from agentrun.core.failure import Failure, Kind
from agentrun.core.model import Json, OutputSpec
from agentrun.steps.agents.memory import Conversation
from agentrun.steps.kind import StepContext

MAX_FILE_BYTES = 1 << 20
MAX_FILES_BYTES = 8 << 20
MAX_FILES = 500
MAX_ERROR_CHARS = 4000
REPEATED_PROMPT_CHARS = 20_000
"""A longer task is not said twice in one conversation."""
CHARS_PER_TOKEN = 5
"""Text has 3 to 4: what is refused by this measure is too long by any."""


class PromptError(Exception):
    """The prompt can't be put together; the class tells the classifier what kind it is."""


class AttachmentNotFoundError(PromptError):
    """A file to attach does not exist."""


class AttachmentValidationError(PromptError):
    """A file to attach is no text, or too large."""


class ContextWindowExceededError(PromptError):
    """The prompt is larger than the model's context."""


def task(ctx: StepContext, prompt: str, patterns: list[str], cwd: Path) -> str:
    """Return the workflow's prompt with everything it works on."""
    parts = [prompt.rstrip("\n"), *attachments(patterns, (ctx.base_dir, cwd))]
    if ctx.stdin is not None:
        text = ctx.stdin if isinstance(ctx.stdin, str) else json.dumps(ctx.stdin, indent=2)
        parts.append(_named("stdin", text))
    return "\n\n".join(parts)


def whole(
    ctx: StepContext, work: str, talk: Conversation, *, lost_words: str = "", undone: bool = False
) -> str:
    """Return the message of this attempt. `undone` says that the worktree was reset."""
    parts = [_opening(talk, ctx.last_failure, told=bool(ctx.prompt_additions), undone=undone)]
    if lost_words:
        parts.append(_named("earlier-attempt", lost_words))
    said = talk.why in {"again", "interrupted"} and talk.resume and not talk.fork
    if said and len(work) > REPEATED_PROMPT_CHARS:
        parts.append("The task is the one given above in this conversation.")
    else:
        parts.append(work)
    parts += [answer_form(ctx.output), *ctx.prompt_additions]
    return "\n\n".join(part for part in parts if part)


def _opening(talk: Conversation, failure: Failure | None, *, told: bool, undone: bool) -> str:
    words = []
    if talk.why == "again" and failure is not None and not (told and _is_format(failure)):
        words.append(
            f"The attempt before this one failed ({failure.kind}):\n"
            + _named("error", failure.message[:MAX_ERROR_CHARS])
        )
    if talk.why == "interrupted":
        words.append("You were interrupted before the task was finished.")
    if undone:
        words.append("All changes to files made so far were undone.")
    elif talk.why in {"again", "interrupted"} and (talk.resume or talk.lost):
        words.append("What was done before is still there: look at it, then finish the task.")
    if words:
        words.append("The task:")
    return "\n".join(words)


def _is_format(failure: Failure) -> bool:
    return failure.kind is Kind.OUTPUT_FORMAT


def answer_form(output: OutputSpec) -> str:
    """Return what to say about the form of the answer; nothing for text."""
    only = "and nothing else: no explanation, no code fence."
    match output.form:
        case "json":
            return f"Answer with one JSON value {only}"
        case "schema":
            schema = json.dumps(output.schema, ensure_ascii=False)
            return f"Answer with JSON that fits this JSON Schema {only}\n{schema}"
        case "lines":
            return "Answer with one item per line and nothing else."
        case "text":
            return ""


def attachments(patterns: list[str], folders: tuple[Path, ...]) -> list[str]:
    """Return the files as text with their names. Raises PromptError."""
    texts: list[str] = []
    size = 0
    for pattern in patterns:
        for name, path in _found(pattern, folders):
            text = _text(path, name)
            size += len(text)
            if size > MAX_FILES_BYTES or len(texts) == MAX_FILES:
                raise AttachmentValidationError(
                    f"`files:` attaches more than {MAX_FILES_BYTES >> 20} MiB or {MAX_FILES} files"
                )
            texts.append(_named("file", text, name=name))
    return texts


def _found(pattern: str, folders: tuple[Path, ...]) -> list[tuple[str, Path]]:
    for folder in folders:
        path = folder / pattern
        if path.is_file():
            return [(pattern, path)]
        if not Path(pattern).is_absolute() and any(sign in pattern for sign in "*?["):
            matches = sorted(each for each in folder.glob(pattern) if each.is_file())
            if matches:
                return [(str(each.relative_to(folder)), each) for each in matches]
    places = " or ".join(str(folder) for folder in dict.fromkeys(folders))
    raise AttachmentNotFoundError(f"no such file to attach: {pattern} (in {places})")


def _text(path: Path, name: str) -> str:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise AttachmentValidationError(
            f"{name} is {size:,} bytes, more than the {MAX_FILE_BYTES:,} that can be attached:"
            " name it in the prompt and let the agent read it"
        )
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise AttachmentValidationError(f"{name} is not text (byte {error.start})") from error
    except OSError as error:
        raise AttachmentNotFoundError(f"{name} can't be read: {error}") from error


def _named(tag: str, text: str, **attributes: str) -> str:
    told = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{tag}{told}>\n{text.rstrip()}\n</{tag}>"


def check_size(text: str, context_tokens: int | None, model: str | None) -> None:
    """Raise ContextWindowExceededError when the text can't fit, as far as that is known."""
    if context_tokens is None:
        return
    tokens = len(text) // CHARS_PER_TOKEN
    if tokens > context_tokens:
        raise ContextWindowExceededError(
            f"prompt is too long: at least {tokens:,} tokens > {context_tokens:,} maximum context"
            f" of {model or 'the model'}; nothing was sent"
        )


def schema_of(output: OutputSpec) -> Mapping[str, Json] | None:
    """Return the JSON Schema of the answer, if one is declared."""
    return output.schema if output.form == "schema" else None
