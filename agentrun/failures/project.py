"""A project's own rules: `.agentrun/rules.yaml` beside the workflow file.

    - id: ledger.closed
      kind: overloaded
      match: {text: "ledger is closed", exit_code: 3}
      hint: the ledger opens at six

They are asked before the built-in ones. A rule that is malformed or can't match stops the command
before anything runs, with the number of its entry.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from agentrun.errors import UsageError

if TYPE_CHECKING:  # most projects have no rules, and a run without failures needs none
    from agentrun.failures.rules import Rule

FILE = ".agentrun/rules.yaml"
MAX_BYTES = 1 << 20
MAX_RULES = 500


def project_rules(folder: Path) -> tuple["Rule", ...]:
    """Return the rules of a project; none when it has no such file."""
    path = folder / FILE
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    return _rules(path, _entries(path, data))


def _entries(path: Path, data: bytes) -> list[object]:
    import yaml

    if len(data) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES >> 20} MiB")
    try:
        entries = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not YAML: {error}") from error
    if entries is None:
        return []
    if not isinstance(entries, list) or len(entries) > MAX_RULES:
        raise UsageError(f"{path} must hold a list of at most {MAX_RULES} rules")
    return entries


def _rules(path: Path, entries: list[object]) -> tuple["Rule", ...]:
    from agentrun.failures.custom import rule_from_mapping

    found: list[Rule] = []
    for number, entry in enumerate(entries, 1):
        try:
            if not isinstance(entry, Mapping):
                raise ValueError("a rule is a mapping with `kind` and `match`")  # noqa: TRY004, TRY301
            found.append(rule_from_mapping(entry))
        except ValueError as error:
            raise UsageError(f"{path}: rule {number}: {error}", "see docs/failures.md") from error
    return tuple(found)
