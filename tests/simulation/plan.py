"""A random small workflow, and what each of its attempts will do.

A plan is a function of its seed alone. How an attempt ends depends on what is recorded of its step
(how often it has failed so far), never on how often the machine broke down: so the steps are
repeatable, and whatever happens in between, the outputs must be those of an undisturbed run.
"""

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from random import Random

from agentrun.core import address
from agentrun.core.failure import CATEGORY_OF, Failure, Kind
from agentrun.core.model import Alternative, Input, Json, RetryPolicy, Step, Workflow

TICK_S = 1 / 64
INPUTS = {"flag": True, "xs": [3, 1, 2]}
DECLARED = {"flag": Input("boolean"), "xs": Input("array")}
PAD = "x" * 5000
"""Makes an output too large for a line, so that it becomes a blob."""

# No resource conflicts: whether lowering the concurrency helps depends on what runs beside a step.
CURABLE = (
    (Kind.NETWORK, 30),
    (Kind.RATE_LIMIT, 8),
    (Kind.TIMEOUT, 8),
    (Kind.UNKNOWN, 10),
    (Kind.CRASH, 8),
    (Kind.OUTPUT_FORMAT, 6),
    (Kind.DISK_FULL, 3),
    (Kind.LOGIC, 5),
    (Kind.PERMISSION, 3),
    (Kind.AUTH, 2),
    (Kind.SECURITY, 1),
)
KINDS, WEIGHTS = zip(*CURABLE, strict=True)


@dataclass(frozen=True)
class Script:
    """What the attempts at one address do: the n-th recorded failure, then success."""

    failures: tuple[Failure, ...]
    takes_s: float
    notes: int
    big: bool


@dataclass
class Plan:
    """A workflow and its scripts. `asks_about_failures`: a step runs because another failed, so
    that what a person did in between shows in the outputs.
    """

    seed: int
    workflow: Workflow
    asks_about_failures: bool
    _scripts: dict[str, Script] = field(default_factory=dict)
    _definitions: dict[str, Step] = field(default_factory=dict)

    @cached_property
    def outcome_depends_on_persons(self) -> bool:
        """Say whether a fresh set of attempts, granted at another moment, may change outputs."""
        return self.asks_about_failures or any(step.continue_on_error for step in self.all_steps)

    @cached_property
    def all_steps(self) -> list[Step]:
        """Return the steps of the workflow and of those below it."""
        flows = [self.workflow]
        for flow in flows:
            flows.extend(flow.subworkflows.values())
        return [step for flow in flows for step in flow.steps]

    @cached_property
    def text(self) -> bytes:
        """Return the definition as the store keeps it."""
        return repr(self.workflow).encode()

    @cached_property
    def sha256(self) -> str:
        return sha256(self.text).hexdigest()

    def definition(self, key: str) -> Step:
        """Return the step at this address."""
        found = self._definitions.get(key)
        if found is None:
            inside = self.workflow_at(address.parent_scope(key))
            wanted = address.step_id(key)
            found = next(step for step in inside.steps if step.id == wanted)
            self._definitions[key] = found
        return found

    def workflow_at(self, scope: str) -> Workflow:
        """Return the workflow whose steps stand below this address."""
        if not scope:
            return self.workflow
        outer = self.workflow_at(address.parent_scope(scope))
        return outer.subworkflows[str(self.definition(scope).spec["path"])]

    def script(self, key: str) -> Script:
        """Return what the attempts at this address do."""
        found = self._scripts.get(key)
        if found is None:
            random = Random(f"{self.seed} {key}")
            found = self._scripts[key] = _script(random, self.definition(key))
        return found


def make_plan(seed: int) -> Plan:
    """Return the plan of a seed."""
    return _Maker(Random(seed), seed).plan()


def _script(random: Random, step: Step) -> Script:
    count = random.choice((0, 0, 0, 0, 1, 1, 2, 3, 4))
    return Script(
        failures=tuple(_failure(random, step) for _ in range(count)),
        takes_s=_takes_s(random),
        notes=random.choice((0, 0, 0, 1, 2, 3)),
        big=random.random() < 0.1,
    )


def _takes_s(random: Random) -> float:
    if random.random() < 0.02:
        return 600.0
    return random.choice((0, 1, 2, 16, 64, 192)) * TICK_S


def _failure(random: Random, step: Step) -> Failure:
    kind: Kind = random.choices(KINDS, WEIGHTS)[0]
    while kind in {Kind.AUTH, Kind.SECURITY} and (step.continue_on_error or step.for_each):
        kind = random.choices(KINDS, WEIGHTS)[0]  # what else runs then depends on the moment
    asks = kind is Kind.RATE_LIMIT and random.random() < 0.5
    return Failure(
        CATEGORY_OF[kind],
        kind,
        f"scripted {kind}",
        retry_after_s=random.choice((2.0, 45.0, 3600.0)) if asks else None,
        took_effect=random.random() < 0.6,
        exit_code=1 if random.random() < 0.2 else None,
    )


class _Maker:
    def __init__(self, random: Random, seed: int) -> None:
        self._random = random
        self._seed = seed
        self._asks = False

    def plan(self) -> Plan:
        workflow = self._workflow("top", depth=0, size=self._random.randint(2, 5))
        return Plan(self._seed, workflow, self._asks)

    def _workflow(self, name: str, depth: int, size: int) -> Workflow:
        subs: dict[str, Workflow] = {}
        steps: list[Step] = []
        for number in range(size):
            steps.append(self._step(f"{'abc'[depth]}{number}", steps, depth, subs))
        outputs = {step.id: f"${{{{ steps.{step.id}.output }}}}" for step in steps}
        declared_outputs = outputs if depth or self._random.random() < 0.9 else None
        return Workflow(
            name, tuple(steps), inputs=DECLARED, outputs=declared_outputs, subworkflows=subs
        )

    def _step(
        self, step_id: str, before: list[Step], depth: int, subs: dict[str, Workflow]
    ) -> Step:
        random = self._random
        needs = tuple(each.id for each in before if random.random() < 0.45)
        kind = random.choices(
            ("python", "workflow", "wait", "approval"), (80, 12 if depth < 2 else 0, 8, 6)
        )[0]
        common: dict[str, object] = {"id": step_id, "kind": kind, "needs": needs}
        common["if_"] = self._condition(needs, before)
        match kind:
            case "wait":
                seconds = random.choice((1, 8, 64, 640, 5760)) * TICK_S
                return Step(**common, spec={"for_": seconds})  # type: ignore[arg-type]
            case "approval":
                return Step(**common, spec=self._approval())  # type: ignore[arg-type]
            case "workflow":
                path = f"{step_id}.yaml"
                subs[path] = self._workflow(path, depth + 1, random.randint(1, 2 + (depth == 0)))
                more = self._work(subworkflow=True)
                given: Json = {"flag": random.random() < 0.5, "xs": "${{ inputs.xs }}"}
                return Step(**(common | more), spec={"path": path}, with_=given)  # type: ignore[arg-type]
            case _:
                return Step(**(common | self._work()), spec={"target": "m:f"})  # type: ignore[arg-type]

    def _condition(self, needs: tuple[str, ...], before: list[Step]) -> str | None:
        random = self._random
        if random.random() < 0.8:
            return None
        if needs and random.random() < 0.6:
            other = random.choice(needs)
            self._asks = True
            return random.choice(
                (f"failed('{other}')", "always()", f"steps.{other}.status == 'succeeded'")
            )
        return random.choice(("inputs.flag", "not inputs.flag"))

    def _approval(self) -> dict[str, Json]:
        random = self._random
        if random.random() < 0.7:
            return {"message": "go on?", "options": ["yes", "no"]}
        seconds = random.choice((64, 6400)) * TICK_S
        return {
            "message": "in time?",
            "options": ["yes", "no"],
            "timeout": seconds,
            "default": "no",
        }

    def _work(self, *, subworkflow: bool = False) -> dict[str, object]:
        random = self._random
        found: dict[str, object] = {}
        if random.random() < (0.1 if subworkflow else 0.2):
            found["for_each"] = random.choice(("${{ inputs.xs }}", [], [1], [5, 6], [1, 2, 3]))
            found["max_parallel"] = random.choice((None, 1, 2))
            if random.random() < 0.2:
                found["if_"] = "item % 2 == 0"
        if random.random() < 0.15:
            found["continue_on_error"] = True
        if random.random() < 0.55:
            found["retry"] = self._retry()
        if random.random() < 0.12:
            found["until"] = "output.round >= 2"
            found["max_rounds"] = 4
            if subworkflow:  # its output knows no round: it holds at once, or never
                never = bool(found.get("continue_on_error"))
                found |= {"until": "false" if never else "output", "max_rounds": 2}
        if subworkflow:
            return found
        if random.random() < 0.15:
            way = Alternative("python", {"target": "m:other"})
            found["fallback"] = (way,) * random.randint(1, 2)
        if random.random() < 0.15:
            found["idempotent"] = False
        if random.random() < 0.2:
            found["component"] = random.choice(("api", "db"))
        return found

    def _retry(self) -> RetryPolicy:
        random = self._random
        return RetryPolicy(
            max_attempts=random.randint(1, 4),
            delay_s=random.choice((0.5, 1.0, 2.0, 32.0)),
            backoff=random.choice(("exponential", "linear", "fixed")),
            max_delay_s=64.0,
            on=random.choice(((), (), ("any",), ("transient", "unknown"))),
        )
