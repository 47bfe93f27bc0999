"""Warnings: what is allowed, and most likely not meant.

Owns heuristics only; nothing here forbids a run.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from agentrun.workflow.findings import Findings
from agentrun.workflow.steps import StepDraft
from agentrun.workflow.yaml_source import Path

_SECRET = re.compile(
    r"\b(?:sk-[A-Za-z0-9_-]{20,}|sk-ant-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|AKIA[0-9A-Z]{16}"
    r"|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_-]{20,}|xox[baprs]-[A-Za-z0-9-]{10,}"
    r"|AIza[0-9A-Za-z_-]{35}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|-----BEGIN [A-Z ]*PRIVATE KEY)"
)
_SECRET_NAME = re.compile(r"(?i)(?:^|_)(?:token|password|passwd|secret|api_?key|access_?key)$")
_RETRYING = re.compile(
    r"\b(?:curl\b[^|;\n]*--retry\b(?!-)|wget\b[^|;\n]*(?:--tries|-t)\b|pip\b[^|;\n]*--retries\b"
    r"|retry\s+-|for \w+ in (?:1 2 3|\{1\.\.\d+\}|\$\(seq)[^\n]*;?\s*do[^\n]*&& break)"
)


def add_warnings(
    data: Mapping[str, Any], drafts: list[StepDraft], folder: FilePath, findings: Findings
) -> None:
    """Note everything that looks like a mistake."""
    for path, text in _texts((), data):
        if _SECRET.search(text):
            hint = "name its environment variable under `secrets`, and use it from there"
            findings.warn(path, "this looks like a secret in plain text", hint)
    _warn_of_secret_env(data.get("env"), ("env",), findings)
    for draft in drafts:
        _warn_of_secret_env(draft.raw.get("env"), (*draft.path, "env"), findings)
        _warn_of_retry_layers(draft, findings)
        _warn_of_unreachable(draft, findings)
        _warn_of_missing_file(draft, folder, findings)


def _texts(path: Path, value: Any) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts((*path, key), each)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts((*path, index), each)


def _warn_of_secret_env(env: Any, path: Path, findings: Findings) -> None:
    if not isinstance(env, dict):
        return
    for key, value in env.items():
        if (
            isinstance(value, str)
            and len(value) >= 8
            and "${{" not in value
            and _SECRET_NAME.search(key)
        ):
            hint = f"list `{key}` under `secrets` and set it in the environment"
            findings.warn((*path, key), f"`{key}` looks like a secret in plain text", hint)


def _warn_of_retry_layers(draft: StepDraft, findings: Findings) -> None:
    command = draft.raw.get("run")
    if isinstance(command, str) and (match := _RETRYING.search(command)):
        attempts = draft.model.retry.max_attempts if draft.model and draft.model.retry else 3
        if attempts > 1:
            message = f"the command retries by itself: each of its {attempts} attempts repeats that"
            hint = "let `retry` own it, or set `retry: {max_attempts: 1}`"
            findings.warn((*draft.path, "run"), message, hint, within=match[0].split()[0])


def _warn_of_unreachable(draft: StepDraft, findings: Findings) -> None:
    condition = draft.raw.get("if")
    plain = str(condition).strip().removeprefix("${{").removesuffix("}}").strip().lower()
    if condition is not None and plain in ("false", "0", "none"):
        findings.warn((*draft.path, "if"), f"step `{draft.id}` is never run")
    if draft.raw.get("for_each") == []:
        findings.warn(
            (*draft.path, "for_each"), f"step `{draft.id}` is never run: the list is empty"
        )


def _warn_of_missing_file(draft: StepDraft, folder: FilePath, findings: Findings) -> None:
    """Note Python files that are named by a literal path and are not there."""
    way = draft.way
    if way is None or way.spec is None:
        return
    where = str(way.spec.get("target", "")).rpartition(":")[0]
    if way.kind.name == "python" and where.endswith(".py") and not _is_file(folder / where):
        hint = "it is found from the workflow file's folder"
        findings.warn((*draft.path, "python"), f"there is no file `{where}`", hint)


def _is_file(path: FilePath) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
