"""What a Codex thread has used so far, from the file in which Codex keeps it.

Codex tells the usage of a whole thread; without the part that was there before, a continued thread
would be paid twice. The file is Codex's own: when it can't be read, nothing is subtracted.
"""

import json
import re
from pathlib import Path

from agentrun.core.outcome import Usage
from agentrun.steps.agents.contract import as_int, as_object

_ID = re.compile(r"[0-9A-Za-z-]+")


def used(home: Path, thread: str) -> Usage | None:
    """Return the usage at the end of a thread, or None when it is not known."""
    if not _ID.fullmatch(thread):
        return None
    for path in (home / "sessions").glob(f"*/*/*/rollout-*{thread}.jsonl"):
        return _last_count(path)
    return None


def _last_count(path: Path) -> Usage | None:
    last = ""
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                if '"token_count"' in line and '"total_token_usage"' in line:
                    last = line
        payload = as_object(as_object(json.loads(last or "null")).get("payload"))
    except (OSError, ValueError):
        return None
    total = as_object(as_object(payload.get("info")).get("total_token_usage"))
    return Usage(
        as_int(total.get("input_tokens")),
        as_int(total.get("output_tokens")),
        cached_tokens=as_int(total.get("cached_input_tokens")),
    )
