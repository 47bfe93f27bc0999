"""What makes two steps the same: a hash over everything that decides what a step does.

Owns the choice of keys. Name, position, `needs`, timeouts and the recovery keys (`retry`,
`on_error`, `fallback`, `remedies`) are left out: changing them does not make a finished result
stale. Fields of the spec that hold their default are left out too, so that a new version of
agentrun with a new field keeps old hashes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any

from agentrun.core.model import Json, Step
from agentrun.steps import registry
from agentrun.workflow.kinds import default_of


def content_hash(step: Step, workflow_env: Mapping[str, str], sub_sha256: str = "") -> str:
    """Return the hash of a step; `sub_sha256` stands for the text of its sub-workflow."""
    spec_defaults = _defaults(step.kind)
    content: dict[str, Json] = {
        "kind": step.kind,
        "spec": {k: v for k, v in step.spec.items() if spec_defaults.get(k, MISSING) != v},
        "if": step.if_,
        "for_each": step.for_each,
        "as": step.as_,
        "until": step.until,
        "max_rounds": step.max_rounds,
        "checks": list(step.checks),
        "output": [step.output.form, step.output.schema],
        "env": {**workflow_env, **step.env},
        "cwd": step.cwd,
        "stdin": step.stdin,
        "with": step.with_,
        "workflow": sub_sha256,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def _defaults(kind: str) -> dict[str, Any]:
    return {each.name: default_of(each) for each in fields(registry.get(kind).spec)}
