"""What the adjustments of a step mean for its next attempt.

Owns the reading of `Adjustment.change` (the closed set of keys in `__init__.py`); a later change
of the same key takes the place of an earlier one. Refuses to do any of it: the attempt does.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field, structs

from agentrun.core.events import Adjustment
from agentrun.core.model import Json, Step
from agentrun.recovery.adjust.output_format import FED_BACK


class Adjusted(Struct, frozen=True):
    """A step as it is to be run now, and what to do around it.

    `step` has the changed time limits, spec, env and `max_parallel`. `remedies` are shell commands
    to run before the attempt, in order. `input_share` None means that nothing is cut (see
    `context_overflow.cut`), `clean_input` asks for `input_format.cleaned`, `tmp_in_state` for a
    TMPDIR in the state folder.
    """

    step: Step
    prompt_additions: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    remedies: tuple[str, ...] = ()
    clean_input: bool = False
    input_share: float | None = None
    tmp_in_state: bool = False
    edits: tuple[Mapping[str, Json], ...] = ()


def adjusted(step: Step, adjustments: Sequence[Adjustment]) -> Adjusted:
    """Apply the adjustments in order to the step (as its current alternative has it)."""
    if not adjustments and step.kind != "agent":
        return Adjusted(step)
    change: dict[str, Json] = {}
    for adjustment in adjustments:
        change |= adjustment.change
    env = {name: str(value) for a in adjustments for name, value in a.change.get("env", {}).items()}
    limits: dict[str, Json] = {
        key: change[key] for key in ("timeout_s", "idle_timeout_s", "max_parallel") if key in change
    }
    changed = structs.replace(
        step,
        spec=_spec(step, adjustments),
        with_=_with(step, adjustments),
        env={**step.env, **env},
        **limits,
    )
    remedies = [a.change["run"] for a in adjustments if "run" in a.change]
    return Adjusted(
        changed,
        prompt_additions=_prompt_additions(adjustments),
        env=env,
        remedies=tuple(dict.fromkeys(remedies)),
        clean_input=bool(change.get("clean_input")),
        input_share=change.get("input_share"),
        tmp_in_state=bool(change.get("tmp_in_state")),
        edits=tuple(a.change["edit"] for a in adjustments if "edit" in a.change),
    )


def _with(step: Step, adjustments: Sequence[Adjustment]) -> Json:
    changes = {k: v for a in adjustments for k, v in a.change.get("with", {}).items()}
    return {**step.with_, **changes} if changes and isinstance(step.with_, Mapping) else step.with_


def _spec(step: Step, adjustments: Sequence[Adjustment]) -> Mapping[str, Json]:
    spec = dict(step.spec)
    models = spec.get("model")
    if step.kind == "agent" and isinstance(models, list) and models:
        spec["model"] = models[0]
    for adjustment in adjustments:
        for key, value in adjustment.change.get("spec", {}).items():
            before = spec.get(key)
            both = isinstance(before, Mapping) and isinstance(value, Mapping)
            spec[key] = {**before, **value} if both else value  # type: ignore[dict-item]
        if "model" in adjustment.change:
            spec["model"] = adjustment.change["model"]
    return spec


def _prompt_additions(adjustments: Sequence[Adjustment]) -> tuple[str, ...]:
    """All additions, but of the complaints about answers only the newest."""
    said = [
        (a.kind, a.change["prompt_addition"]) for a in adjustments if "prompt_addition" in a.change
    ]
    newest = [text for kind, text in said if kind == FED_BACK][-1:]
    return (*(text for kind, text in said if kind != FED_BACK), *newest)
