"""What makes two failures the same: their text without what changes from time to time.

Masked, in this order: moments, task ids, UUIDs, hashes and other hex, ids, addresses with ports,
paths in temporary folders, numbers with their units. These few lines group real logs as well as a
template miner does.
"""

import hashlib
import re

from agentrun.core.failure import Failure

MAX_CHARS = 2000

_UNITS = "ns|us|µs|ms|s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|[kmgt]?i?b|bytes|%"

_MASKS = (
    (
        re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"),
        "<time>",
    ),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    (re.compile(r"\b[\w.-]{1,80}-\d{8}-\d{6}-[0-9a-z]{4}\b"), "<task>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<uuid>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b(?:req|request|run|job|trace|msg|session|thread)[-_][\w-]{6,}"), "<id>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<address>"),
    (re.compile(r"(?:/private)?/(?:tmp|var/folders|var/tmp)/[^\s:'\"]+"), "<tmp>"),
    (
        re.compile(
            r"(?<![\w:])\[?(?=[a-f:]*\d)(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}\]?(?::\d+)?(?!\w)"
        ),
        "<address>",
    ),
    (re.compile(rf"\b\d+(?:[.,]\d+)*(?:\s?(?:{_UNITS}))?\b", re.IGNORECASE), "<n>"),
    (re.compile(r"\s+"), " "),
)


def masked(text: str) -> str:
    """Return the text without its volatile parts."""
    text = text[:MAX_CHARS]
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text.strip().lower()


def fingerprint(step_id: str, content_hash: str, failure: Failure) -> str:
    """Return the name of a failure pattern of a step that does what it does now."""
    parts = (step_id, content_hash[:16], failure.kind, failure.rule, masked(failure.message))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
