"""Names on disk: task ids, and the folders of steps.

Owns which ids are allowed (no path can be made of one), what a new id looks like, and how a step's
address (`label[3]`, `sub/step`) becomes the name of a folder. Pure.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from agentrun.errors import UsageError

MAX_ID = 120
LATEST = "latest"
_MADE_UP = re.compile(r".+-\d{8}-\d{6}-[0-9A-Za-z]{4}", re.ASCII)
_ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def is_task_id(text: str) -> bool:
    """Return whether a text may name a task."""
    return (
        0 < len(text) <= MAX_ID
        and text[0] not in ".-"
        and ".." not in text
        and _ALLOWED.issuperset(text)
    )


def checked_task_id(text: str) -> str:
    """Return the text when it may name a task; raise UsageError when not."""
    if is_task_id(text):
        return text
    raise UsageError(
        f"{text[:MAX_ID]!r} is not a task id.",
        f"Ids are made of A-Z a-z 0-9 . _ -, at most {MAX_ID} characters, with no leading dot "
        "or dash, and no two dots in a row.",
    )


def new_task_id(workflow: str, now: float, random4: str) -> str:
    """Return the id of a new task: `<workflow>-<UTC yyyymmdd-hhmmss>-<random4>`."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    return checked_task_id(f"{slug(workflow)}-{stamp}-{random4}")


def is_made_up(task_id: str) -> bool:
    """Return whether an id has the form of `new_task_id`, so that nobody chose it."""
    return _MADE_UP.fullmatch(task_id) is not None


def slug(workflow: str) -> str:
    """Return a workflow's name as it stands in its tasks' ids."""
    kept = "".join(char if char in _ALLOWED else "-" for char in workflow)
    while ".." in kept:
        kept = kept.replace("..", ".")
    return kept.lstrip(".-")[:80] or "task"


def step_folder(step: str) -> str:
    """Return the relative folder of a step's address: `sub/label[3]` stays readable and safe.

    Ids are `[A-Za-z_][A-Za-z0-9_]*`, so a part can't be `..`; what is not expected is escaped.
    """
    parts = step.split("/")
    return "/".join(_safe_part(part) for part in parts)


def _safe_part(part: str) -> str:
    plain = part.replace("[", "").replace("]", "").replace("_", "")
    if plain.isascii() and plain.isalnum() and len(part) < 200:
        return part
    escaped = "".join(
        char if char.isascii() and (char.isalnum() or char in "_[]") else f"%{ord(char):x}"
        for char in part
    )
    return escaped[:200] or "%"


def near(text: str, ids: Iterable[str]) -> list[str]:
    """Return the ids that may have been meant."""
    from difflib import get_close_matches

    known = list(ids)
    found = [known_id for known_id in known if text and text in known_id][:3]
    if found or not text:
        return found
    begins = {known_id[: len(text)]: known_id for known_id in known}  # of alike ones the newest
    alike = [begins[begin] for begin in get_close_matches(text, begins, n=3, cutoff=0.6)]
    return alike or get_close_matches(text, known, n=3, cutoff=0.5)
