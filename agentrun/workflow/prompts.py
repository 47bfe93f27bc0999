"""Prompt files: the one place where Jinja statements may stand.

`${{ ... }}` is an expression as everywhere, `{% ... %}` a statement (`if`, `for`, `include`,
`macro`, `set`), `{%# ... #%}` a comment. Plain `{{`, `{#` and `${x}` are text, since prompts often
quote code that is full of them. Files are included only from below the folder of the workflow.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, TemplateNotFound
from jinja2.exceptions import TemplateSyntaxError
from jinja2.meta import find_undeclared_variables

from agentrun.workflow.compiled import RUN_TIME_ERRORS, references_in
from agentrun.workflow.expressions import Reference
from agentrun.workflow.sandbox import Sandbox, new_sandbox
from agentrun.workflow.template import ExpressionError
from agentrun.workflow.text import MAX_TEXT_BYTES, text_of

MAX_FILE_BYTES = 4 << 20


class _Confined(BaseLoader):
    """Loads includes from below one folder; a link that leads out of it is refused."""

    def __init__(self, base: Path | None) -> None:
        self.base = base.resolve() if base else None

    def get_source(self, _environment: Any, template: str) -> tuple[str, str, Callable[[], bool]]:
        path = (self.base / template).resolve() if self.base else None
        if path is None or self.base is None or not path.is_relative_to(self.base):
            raise TemplateNotFound(template, f"`{template}` is outside of the workflow's folder")
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise TemplateNotFound(template, f"`{template}` is larger than 4 MiB")
            return path.read_text(encoding="utf-8"), str(path), lambda: True
        except (OSError, UnicodeDecodeError) as error:
            raise TemplateNotFound(template, f"`{template}` can't be read: {error}") from error


def references_of_prompt(text: str) -> tuple[Reference, ...]:
    """Return what a prompt file refers to, its own variables left out. Raises ExpressionError."""
    try:
        tree = _environment(None).parse(text)
        outer = find_undeclared_variables(tree)
    except TemplateSyntaxError as error:
        raise ExpressionError(f"line {error.lineno} of the prompt: {error.message}") from None
    except RecursionError:
        raise ExpressionError("the prompt is nested too deep") from None
    return tuple(each for each in references_in(tree) if each.name in outer)


def _environment(base: Path | None) -> Sandbox:
    return new_sandbox(
        loader=_Confined(base),
        comment_start_string="{%#",
        comment_end_string="#%}",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=text_of,
    )


def render_prompt_file(text: str, scope: Mapping[str, Any], base: Path | None) -> str:
    """Return the text of a prompt file rendered with the scope."""
    env = _environment(base)
    parts: list[str] = []
    size = 0
    try:
        for part in env.from_string(text).generate(dict(scope)):
            parts.append(part)
            size += len(part)
            if size > MAX_TEXT_BYTES:
                raise ExpressionError("the prompt is larger than 64 MiB")
    except TemplateSyntaxError as error:
        raise ExpressionError(f"line {error.lineno} of the prompt: {error.message}") from None
    except RUN_TIME_ERRORS as error:
        raise ExpressionError(f"the prompt can't be rendered: {error}") from None
    return "".join(parts)
