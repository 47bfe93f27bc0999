"""Whether a new value makes a step reach for something else than the old one did.

A value that names another host, leaves the step's folder, or looks like an option of a program may
change what is run or whom it talks to, however harmless the parameter's name: that is for `full`.
"""

import posixpath
from urllib.parse import urlsplit

from agentrun.core.model import Json


def goes_elsewhere(old: Json, new: Json) -> bool:
    """Return whether `new` reaches for something that `old` did not."""
    if isinstance(new, list | tuple):
        return any(goes_elsewhere(old, each) for each in new)
    if isinstance(new, dict):
        return any(goes_elsewhere(old, each) for each in new.values())
    if not isinstance(new, str):
        return False
    before = old if isinstance(old, str) else ""
    if "://" in new:
        return _host(new) != _host(before)
    if new.startswith("-"):
        return not before.startswith("-")
    if new.startswith(("/", "~", "@")) or ".." in new.split("/"):
        return posixpath.dirname(new) != posixpath.dirname(before)
    return False


def _host(text: str) -> tuple[str, str]:
    try:
        parts = urlsplit(text)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc
