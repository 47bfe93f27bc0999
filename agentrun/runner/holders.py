"""What holds a step, and whether it has an answer of its own to the step's failure."""

from agentrun.core import address
from agentrun.core.failure import Failure
from agentrun.core.retry import covers
from agentrun.runner.desk import Desk


def one_goes_on(desk: Desk, key: str, failure: Failure | None) -> bool:
    """Return whether a sub-workflow around the step has an answer to its failure, so that it
    fails instead of having the whole task wait.
    """
    for holder in address.ancestors(key):
        step, around = desk.look_up(holder)
        if around.scope is None:
            continue
        again = step.retry is not None and around.charged < step.retry.max_attempts
        covered = failure is not None and step.retry and covers(step.retry, failure)
        another_way = around.alternative < len(step.fallback)
        if step.continue_on_error or another_way or (again and covered):
            return True
    return False
