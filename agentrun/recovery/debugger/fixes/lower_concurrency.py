"""Let fewer items of the `for_each` run at once."""

from collections.abc import Mapping

from agentrun.core.address import parent_loop
from agentrun.core.model import Json
from agentrun.recovery.debugger.fixes import FixKind
from agentrun.recovery.debugger.incident import Incident


def _problem(params: Mapping[str, Json], incident: Incident) -> str | None:
    wanted = params.get("max_parallel")
    if parent_loop(incident.key) is None:
        return "the step is no item of a `for_each`"
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        return "`max_parallel` must be a whole number from 1"
    now = incident.step.max_parallel
    return None if now is None or wanted < now else f"it is {now} already"


KIND = FixKind(
    "lower_concurrency",
    "run fewer items at once",
    problem=_problem,
    diff=lambda params, incident: (
        f"- max_parallel: {incident.step.max_parallel}\n+ max_parallel: {params['max_parallel']}"
    ),
    change=lambda params, _incident: {"max_parallel": params["max_parallel"]},
    params={"max_parallel": "a smaller number"},
)
