"""Did-you-mean: the nearest known name, and what other tools call the things we have.

Owns the words people bring from elsewhere. Refuses to accept them: a foreign name is always an
error with a hint, never an alias.
"""

from collections.abc import Iterable

STEP_KEYS_ELSEWHERE = {
    "after": "needs",
    "allow_failure": "continue_on_error",
    "always_run": "if: always()",
    "attempts": "retry: {max_attempts: ...}",
    "args": "with",
    "background": "needs",
    "bash": "run",
    "can_fail": "continue_on_error",
    "concurrency": "max_parallel",
    "continue_on_fail": "continue_on_error",
    "continue_on_failure": "continue_on_error",
    "cmd": "run",
    "command": "run",
    "commands": "run",
    "condition": "if",
    "deadline": "timeout: 10m",
    "depends": "needs",
    "depends_on": "needs",
    "dependencies": "needs",
    "directory": "cwd",
    "dir": "cwd",
    "environment": "env",
    "env_vars": "env",
    "exec": "run",
    "foreach": "for_each",
    "function": "python",
    "ignore_errors": "continue_on_error",
    "inputs": "with",
    "items": "for_each",
    "loop": "for_each",
    "matrix": "for_each",
    "max_retries": "retry: {max_attempts: ...}",
    "max_attempts": "retry: {max_attempts: ...}",
    "on_failure": "on_error",
    "only_if": "if",
    "on_fail": "on_error",
    "outputs": "output",
    "parallel": "max_parallel",
    "params": "with",
    "parameters": "with",
    "precondition": "if",
    "preconditions": "if",
    "register": "output",
    "repeat": "until",
    "repeat_until": "until",
    "request": "http",
    "requires": "needs",
    "retries": "retry: {max_attempts: ...}",
    "retry_count": "retry: {max_attempts: ...}",
    "retry_delay": "retry: {delay: ...}",
    "retry_policy": "retry",
    "script": "run",
    "shell_command": "run",
    "skip_if": "if: not ...",
    "task": "agent: {cli: ..., prompt: ...}",
    "sh": "run",
    "sleep": "wait",
    "timeout_minutes": "timeout: 10m",
    "timeout_seconds": "timeout: 30s",
    "timeout_sec": "timeout: 30s",
    "trigger_rule": "if: always()",
    "unless": "if: not ...",
    "upstream": "needs",
    "uses": "workflow",
    "variables": "env",
    "vars": "env",
    "when": "if",
    "while": "until",
    "with_items": "for_each",
    "withitems": "for_each",
    "with_param": "for_each",
    "withparam": "for_each",
    "working_directory": "cwd",
    "workdir": "cwd",
    "working_dir": "cwd",
    "prompt": "agent: {cli: ..., prompt: ...}",
    "model": "agent: {model: ..., prompt: ...}",
    "cli": "agent: {cli: ..., prompt: ...}",
    "url": "http: {url: ...}",
    "method": "http: {method: ..., url: ...}",
    "message": "approval: {message: ...}",
}

TOP_KEYS_ELSEWHERE = {
    "jobs": "steps",
    "tasks": "steps",
    "stages": "steps",
    "nodes": "steps",
    "states": "steps",
    "params": "inputs",
    "parameters": "inputs",
    "arguments": "inputs",
    "input": "inputs",
    "variables": "env",
    "vars": "env",
    "environment": "env",
    "output": "outputs",
    "title": "name",
    "id": "name",
    "secret": "secrets",
    "timeout": "defaults: {timeout: ...}",
    "retry": "defaults: {retry: ...}",
    "concurrency": "limits",
    "circuit_breakers": "breakers",
    "notifications": "notify",
    "version": "",
}

RETRY_KEYS_ELSEWHERE = {
    "attempts": "max_attempts",
    "max_retries": "max_attempts",
    "retries": "max_attempts",
    "limit": "max_attempts",
    "count": "max_attempts",
    "times": "max_attempts",
    "interval": "delay",
    "wait": "delay",
    "initial_delay": "delay",
    "initial_interval": "delay",
    "multiplier": "factor",
    "backoff_rate": "factor",
    "backoff_factor": "factor",
    "max_interval": "max_delay",
    "retry_on": "on",
    "timeout": "max_elapsed",
}

NAMES_ELSEWHERE = {
    "null": "none",
    "nil": "none",
    "True": "true",
    "False": "false",
    "None": "none",
    "input": "inputs",
    "params": "inputs",
    "parameters": "inputs",
    "vars": "inputs",
    "step": "steps",
    "tasks": "steps",
    "jobs": "steps",
    "needs": "steps",
    "secrets": "env",
    "environment": "env",
    "result": "output",
    "stdout": "output",
    "error": "last_error",
    "github": "inputs",
}

FIELDS_ELSEWHERE = {
    "outputs": "output",
    "result": "output",
    "stdout": "output",
    "value": "output",
    "outcome": "status",
    "conclusion": "status",
    "state": "status",
    "exitcode": "exit_code",
    "rc": "exit_code",
    "returncode": "exit_code",
    "return_code": "exit_code",
    "code": "exit_code",
    "cost": "usage",
    "tokens": "usage",
}


def normal(name: str) -> str:
    """Return the name without the spelling habits of other tools: `forEach`, `for-each`."""
    spread = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
    return spread.replace("-", "_").strip("_")


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest to a mistyped one, or None."""
    names = list(known)
    if (plain := normal(name)) in names:
        return plain
    from difflib import get_close_matches

    # Ten thousand steps may be known; difflib is slow, so only names of a like length compete.
    like = [each for each in names if abs(len(each) - len(name)) <= 3]
    found = get_close_matches(name, like[:5000], n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str], elsewhere: dict[str, str] | None = None) -> str:
    """Return a hint for an unknown name: what others call it, the nearest, or all there are."""
    names = list(known)
    foreign = (elsewhere or {}).get(name) or (elsewhere or {}).get(normal(name))
    if foreign and name not in names:
        return f"did you mean `{foreign}`?"
    if near := closest(name, names):
        return f"did you mean `{near}`?"
    if not names:
        return ""
    return f"known here: {', '.join(sorted(names)[:12])}{', ...' if len(names) > 12 else ''}"
