"""What `doctor` sees beyond the machine itself: hosts, breakers, and how steps have fared.

Opens connections to the hosts that `http` steps name, and says nothing to them.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from agentrun.core.model import Workflow
from agentrun.foresight import open_breakers
from agentrun.recovery import history
from agentrun.recovery.prediction import MIN_RUNS, OFTEN, Forecast, Range, forecast, whole
from agentrun.report import words
from agentrun.report.check_view import Check
from agentrun.store.manager import CheckpointManager

LOW_MEMORY_BYTES = 256 << 20
PATIENCE_S = 3.0
MAX_HOSTS = 20
WHAT_TO_DO = {
    "timeout": "raise its `timeout`",
    "network": "give it `retry: {max_attempts: 5}` or a `fallback`",
    "rate_limit": "lower `limits` of its component",
    "overloaded": "lower `limits` of its component, or give it a `fallback`",
    "output_format": "say the form of the answer in the prompt, or give it a `fallback`",
    "missing_dependency": "declare a remedy that installs it (`remedies`)",
    "logic": "look at its last failures: agentrun debug",
}


def of_memory() -> Iterator[Check]:
    """Check the memory that is left; nothing where the system does not tell."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found = dict(line.split(":", 1) for line in file if ":" in line)
        free = int(found["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        return
    text = f"{words.size(free)} free"
    low = free < LOW_MEMORY_BYTES
    yield Check("memory", "warning" if low else "ok", text, "lower `max_parallel`")


def of_breakers(manager: CheckpointManager, workflow: Workflow | None) -> Iterator[Check]:
    """Name the components that are left alone at the moment."""
    for component, left_s in open_breakers(manager, workflow, time.time()):
        text = f"{component}: open for another {words.duration(left_s)}"
        yield Check("breaker", "warning", text, "it failed too often; its steps wait or park")


def of_hosts(workflow: Workflow) -> Iterator[Check]:
    """Check that the hosts of `http` steps can be reached."""
    if any(os.environ.get(name) for name in ("https_proxy", "HTTPS_PROXY", "http_proxy")):
        return  # what can be reached is the proxy's to say
    steps: dict[tuple[str, int], str] = {}
    for step in workflow.steps:
        url = step.spec.get("url") if step.kind == "http" else None
        place = _place(url) if isinstance(url, str) else None
        if place is not None:
            steps.setdefault(place, step.id)
    places = list(steps)[:MAX_HOSTS]
    if not places:
        return
    with ThreadPoolExecutor(len(places)) as pool:
        for place, problem in zip(places, pool.map(_problem, places), strict=True):
            name = f"{place[0]}:{place[1]} (step {steps[place]})"
            if problem:
                yield Check("host", "warning", f"{name}: {problem}", "is the network there?")
            else:
                yield Check("host", "ok", f"{name} answers")


def _place(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return None
    plain = parts.hostname is not None and "$" not in parts.netloc and port
    return (parts.hostname or "", port) if plain else None


def _problem(place: tuple[str, int]) -> str:
    try:
        with socket.create_connection(place, timeout=PATIENCE_S):
            return ""
    except OSError as error:
        return error.strerror or str(error) or "no answer"


def of_history(workflow: Workflow, manager: CheckpointManager) -> Iterator[Check]:
    """Say what is likely of each step, and of the whole."""
    steps = forecast(workflow, history.read(manager.shared))
    known = [each for each in steps if each.chance or each.seconds or each.usd]
    if not known:
        text = f"too little is known yet: steps need {MIN_RUNS} runs each"
        yield Check("prediction", "ok", text)
        return
    worst = max(known, key=lambda each: each.chance.middle if each.chance else 0.0)
    for each in known:
        often = each.chance is not None and each.chance.middle >= OFTEN
        hint = WHAT_TO_DO.get(each.worst, "give it a `fallback`, or look: agentrun debug")
        bad = often or (each is worst and each.chance is not None and each.chance.low > OFTEN / 2)
        yield Check("prediction", "warning" if bad else "ok", _told(each), hint)
    if len(steps) > 1:
        left = len(steps) - len(known)
        more = f"; nothing is known of {words.plural(left, 'step')}" if left else ""
        yield Check("prediction", "ok", f"{_told(whole(workflow, steps))}{more}")


def _told(each: Forecast) -> str:
    parts = []
    if each.chance is not None:
        low, high = each.chance.low, each.chance.high
        parts.append(f"fails {each.chance.middle:.0%} of the time ({low:.0%} to {high:.0%})")
    if each.seconds is not None:
        parts.append(f"takes {_range(each.seconds, words.duration)}")
    if each.usd is not None:
        parts.append(f"costs {_range(each.usd, words.usd)}")
    kind = f", mostly {each.worst}" if each.worst and each.chance else ""
    return f"{each.step}: {', '.join(parts)}{kind} ({words.plural(each.runs, 'run')})"


def _range(of: Range, shown: Callable[[float], str]) -> str:
    low, middle, high = shown(of.low), shown(of.middle), shown(of.high)
    return middle if low == high else f"{middle} ({low} to {high})"
