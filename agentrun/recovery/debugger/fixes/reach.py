"""Whether a new value makes a step reach for something else than the old one did.

A value that names another host, leaves the step's folder, looks like an option of a program, or
brings shell syntax along (`;`, `|`, `$(`) may change what is run or whom it talks to, however
harmless the parameter's name: that is for `full`. So is any other value of a parameter that says
what is fetched or run (`package`, `image`, `script`), since a log can name one that is a slip away;
and, but for a slip of the fingers, of one that says where or to whom something is done
(`environment`, `branch`, `recipient`): what works in another place is not what was meant.
"""

import posixpath
import re
from urllib.parse import urlsplit

from agentrun.core.model import Json
from agentrun.recovery.debugger.typo import is_typo

SEPARATORS = (",", ";", "\t", "|")
"""What separates the columns of a table: one alone in place of another is no shell syntax."""
_SHELL = re.compile(r"[;|&`<>\n]|\$[({A-Za-z_]")
_SHELL_IN_URL = re.compile(r"[\s;|`<>]|\$[({A-Za-z_]")
_ORDER = re.compile(r"://(?!localhost\b|127\.|\[::1\]|0\.0\.0\.0)|\|\s*\w*sh\b|\$\(")


_CODE = re.compile(
    r"(?:.*[_-])?(?:package|pkg|module|image|repo|repository|plugin|extension|action|dependency"
    r"|library|crate|gem|formula|chart|script|command|program|binary|tool|provider|registry)s?"
    r"(?:[_-](?:name|id|slug|tag|ref))?",
    re.IGNORECASE,
)


_PLACE = re.compile(
    r"(?:.*[_-])?(?:env|environment|stage|target|tenant|account|cluster|namespace|branch"
    r"|database|db|bucket|recipient|email)s?"
    r"(?:[_-](?:name|id))?",
    re.IGNORECASE,
)


def reaches(name: str, old: Json, new: Json) -> bool:
    """Return whether a parameter with its new value is more than the old one put right: it goes
    elsewhere, or its name says what is fetched or run, or where and to whom something is done. A
    slip of the fingers in the latter may be put right.
    """
    if _CODE.fullmatch(name) is not None or goes_elsewhere(old, new):
        return True
    text = isinstance(new, str) and not (isinstance(old, str) and is_typo(old, new))
    return text and _PLACE.fullmatch(name) is not None


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
        return _host(new) != _host(before) or _brings(_SHELL_IN_URL, before, new)
    if before in SEPARATORS and new in SEPARATORS:
        return False
    if _brings(_SHELL, before, new):
        return True
    if new.startswith("-"):
        return not before.startswith("-")
    if new.startswith(("/", "~", "@")) or ".." in new.split("/"):
        return posixpath.dirname(new) != posixpath.dirname(before)
    return False


def gives_orders(text: str) -> bool:
    """Return whether a hint names an address elsewhere or a command to be run: nothing to tell an
    agent that may run things, on the word of another.
    """
    return _ORDER.search(text) is not None


def _brings(syntax: re.Pattern[str], old: str, new: str) -> bool:
    return syntax.search(new) is not None and syntax.search(old) is None


def _host(text: str) -> tuple[str, str]:
    try:
        parts = urlsplit(text)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc
