"""The alternative ways of a step."""

from msgspec import structs

from agentrun.core.model import Step


def way(step: Step, alternative: int) -> Step:
    """Return the step as its n-th way does it: 0 is the step itself, n its n-th `fallback`."""
    if alternative == 0:
        return step
    other = step.fallback[alternative - 1]
    return structs.replace(
        step, kind=other.kind, spec=other.spec, with_=other.with_, component=other.component
    )
