"""Real kills in the Debugger's loop: `python -m tests.crash.debugger [--only TEXT] [--step N]`.

Each case is a task whose step fails by something that a fix cures, or does not. The real command
is killed with SIGKILL: at its n-th call on files (killer.py; every event is written by some of
them), or from within, by what it waits for: the agent that is asked, the remedy, the attempt that
verifies the fix. Then it is resumed. The oracle looks at the world (marks of the steps, the agent
and the remedy; the edited file), the journal, and what the memory has counted.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentrun.core import events as ev
from agentrun.core.events import Recorded
from agentrun.store.manager import CheckpointManager
from tests.crash.command import TASK, Folder

MOST_RESUMES = 12
STEP = "a"

HEAD = r"""
name: killed
inputs: {region: {type: string, default: eu}}
env:
  MARK: 'echo "$RUN $AGENTRUN_STEP" >> "$EFFECTS"'
  DIE: 'if [ "${KILL_IN:-}" = attempt ] && mkdir "$HERE/died" 2>/dev/null; then kill -9 $PPID; fi'
debugger:
  autofix: full
  agent: {cli: {command: "PYTHON agent.py", prompt: stdin, format: text}}
steps:
"""
TAIL = """
  - {id: last, run: 'eval "$MARK"; echo "${{ steps.a.output }}!"'}
"""

AGENT = r"""
import json, os, signal, sys
sys.stdin.read()
with open(os.environ["EFFECTS"], "a") as file:
    file.write(os.environ["RUN"] + " asked\n")
if os.environ.get("KILL_IN") == "agent" and not os.path.exists("died"):
    os.mkdir("died")
    os.kill(os.getppid(), signal.SIGKILL)
fixes = json.load(open("fixes.json"))
print(json.dumps({"cause": "known", "confidence": 0.9, "fixes": fixes}))
"""

UNSET = r"""
  - {id: a, run: 'eval "$MARK"; echo "deploying to $REGION"; eval "$DIE"'}
"""
REMEDY = (
    'echo "$RUN remedy" >> "$EFFECTS"; touch made; if [ "${KILL_IN:-}" = remedy ] && '
    "mkdir died 2>/dev/null; then kill -9 $PPID; fi"
)
REMEDIED = rf"""
  - id: a
    run: |
      eval "$MARK"
      test -e made || {{ echo 'AssertionError: it is not made' >&2; exit 1; }}
      eval "$DIE"
      echo good
    remedies:
      - match: {{kind: disk_full}}
        run: {json.dumps(REMEDY)}
"""
JOB = r"""
  - {id: a, run: 'eval "$MARK"; . ./job.sh; eval "$DIE"; test "$total" = 1 || { echo "AssertionError: it is $total" >&2; exit 1; }; echo "$total"'}
"""
AGAIN = r"""
  - id: fetch
    run: |
      eval "$MARK"
      if test -e failed; then echo '{"price": 21}'; else echo '{"prize": 21}'; fi
    output: json
  - {id: a, run: 'eval "$MARK"; python3 use.py; eval "$DIE"', stdin: "${{ steps.fetch.output }}"}
"""
USE = """
import json, sys
row = json.load(sys.stdin)
if "price" not in row:
    open("failed", "w").close()
print(row["price"] * 2)
"""
OTHER_WAY = r"""
  - id: a
    run: |
      eval "$MARK"
      echo 'AssertionError: no' >&2
      exit 1
    on_error: [{match: {kind: logic}, then: debug}]
    fallback: [{run: 'eval "$MARK"; eval "$DIE"; echo other'}]
"""


@dataclass(frozen=True)
class Case:
    """A task, what its agent answers, and how it must end: the last output (None: it escalates),
    whether each fix worked, how often the agent is asked when nobody kills.
    """

    steps: str
    output: str | None
    worked: tuple[bool, ...]
    fixes: tuple[dict[str, object], ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    kills_in: tuple[str, ...] = ("attempt",)
    again: frozenset[str] = frozenset()


def _edit(new: str) -> dict[str, object]:
    return {"type": "edit_file", "params": {"path": "job.sh", "old": "total=0", "new": new}}


def _env(value: str) -> dict[str, object]:
    return {"type": "set_env", "params": {"name": "WHERE", "value": value}}


RIGHT = "total=0\ntotal=$((total+1))"
"""Made twice it would give 2."""
JOB_FILE = {"job.sh": "total=0\n"}
CASES: dict[str, Case] = {
    "rule": Case(UNSET, "deploying to eu!", (True,)),
    "remedy": Case(
        REMEDIED,
        "good!",
        (True,),
        ({"type": "run_remedy", "params": {"run": REMEDY}},),
        asked=1,
        kills_in=("attempt", "agent", "remedy"),
    ),
    "edit that helps": Case(
        JOB,
        "1!",
        (True,),
        (_edit(RIGHT),),
        JOB_FILE,
        {"job.sh": f"{RIGHT}\n"},
        asked=1,
        kills_in=("attempt", "agent"),
    ),
    "edit that does not help": Case(
        JOB,
        None,
        (False,),
        (_edit("total=0\ntotal=$((total+2))"),),
        JOB_FILE,
        JOB_FILE,
        asked=2,
        kills_in=("attempt", "agent"),
    ),
    "the second fix helps": Case(
        JOB,
        "1!",
        (False, True),
        (_edit("total=0\ntotal=$((total+2))"), _edit(RIGHT)),
        JOB_FILE,
        {"job.sh": f"{RIGHT}\n"},
        asked=2,
        kills_in=("attempt", "agent"),
    ),
    "an earlier step again": Case(
        AGAIN,
        "42!",
        (True,),
        files={
            "use.py": USE,
        },
        again=frozenset({"fetch"}),
    ),
    "the other way": Case(
        OTHER_WAY,
        "other!",
        (True,),
        ({"type": "take_fallback"},),
        asked=1,
        kills_in=("attempt", "agent"),
    ),
}


class Incident(Folder):
    """The folder of one case, killed and resumed."""

    def __init__(self, path: Path, case: Case) -> None:
        text = (HEAD + case.steps + TAIL).replace("PYTHON", sys.executable)
        super().__init__(path, text)
        self.case, self.kills, self.kill_in = case, 0, ""
        self.exit_code = 3 if case.output is None else 0
        (path / "agent.py").write_text(AGENT)
        (path / "fixes.json").write_text(json.dumps(list(case.fixes)))
        for name, content in case.files.items():
            (path / name).write_text(content)

    def env(self) -> dict[str, str]:
        own = {"KILL_IN": self.kill_in, "HERE": str(self.path)}
        without = {k: v for k, v in super().env().items() if k not in {"REGION", "WHERE"}}
        return without | own

    def killed(self, *, kill_at: int | None = None) -> bool:
        """Run it; return whether it was killed."""
        done = self.run(kill_at=kill_at)
        assert done.returncode in {-9, self.exit_code}, done.stderr
        self.kills += done.returncode < 0
        return done.returncode < 0

    def end(self) -> None:
        """Resume until it has ended or calls a person, then ask the oracle."""
        for _ in range(MOST_RESUMES):
            done = self.run()
            assert "Traceback" not in done.stderr, done.stderr
            if done.returncode >= 0:
                break
            self.kills += 1
        assert done.returncode == self.exit_code, (done.returncode, done.stderr, done.stdout)
        if self.case.output is not None:
            assert json.loads(done.stdout)["outputs"] == self.case.output
        self.judge()

    def judge(self) -> None:
        """The fixes: none lost, none twice, each judged once, undone unless it worked."""
        records = CheckpointManager(self.root).read(TASK).records
        applied = [r.event for r in records if isinstance(r.event, ev.FixApplied)]
        judged = [r.event for r in records if isinstance(r.event, ev.FixJudged)]
        assert len(applied) == len({each.fix["id"] for each in applied}) == len(self.case.worked)
        assert tuple(each.worked for each in judged) == self.case.worked
        asked = self.times()["asked"]
        assert self.case.asked <= asked <= self.case.asked + self.kills, "asked too often"
        for name, content in self.case.left.items():
            assert (self.path / name).read_text() == content, f"{name} is not as it should be"
        self._judge_attempts(records)
        self._judge_memory(applied)
        told = {k: run for k, run in self.succeeded().items() if k not in self.case.again}
        assert not [1 for run, step in self.marks() if run > told.get(step, run)], "done again"

    def _judge_attempts(self, records: Sequence[Recorded]) -> None:
        """No step and no remedy ran more often than attempts were begun for it."""
        begun = Counter(r.event.step for r in records if isinstance(r.event, ev.StepStarted))
        times = self.times()
        for step, count in begun.items():
            assert times[step] <= count, f"{step} ran {times[step]} times in {count} attempts"
        assert times["remedy"] <= max(0, begun[STEP] - 1)

    def _judge_memory(self, applied: Sequence[ev.FixApplied]) -> None:
        path = self.root / ".agentrun" / "fixes.json"
        patterns = json.loads(path.read_text())["patterns"]
        counted = {
            fix_id: (tried["tries"], tried["worked"])
            for pattern in patterns.values()
            for fix_id, tried in pattern["fixes"].items()
        }
        wanted = zip(applied, self.case.worked, strict=True)
        assert counted == {str(each.fix["id"]): (1, int(worked)) for each, worked in wanted}


def at_call(path: Path, case: Case, number: int) -> bool:
    """Kill it at its n-th call on files, the resume at a third of that. False: it had fewer."""
    incident = Incident(path, case)
    if not incident.killed(kill_at=number):
        incident.judge()
        return False
    incident.killed(kill_at=number // 3 + 1)
    incident.end()
    return True


def from_within(path: Path, case: Case, where: str) -> None:
    """Have it killed by what it waits for: the first time that it gets there."""
    incident = Incident(path, case)
    incident.kill_in = where
    assert incident.killed(), f"nothing killed it in {where}"
    incident.end()


def main() -> int:
    """Kill everywhere."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.debugger", description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--step", type=int, default=1, help="try every n-th call")
    asked = parser.parse_args()
    began, states = time.monotonic(), 0
    for name, case in CASES.items():
        if asked.only in name:
            with tempfile.TemporaryDirectory() as folder:
                found = _all_of(Path(folder), case, asked.step)
            states += found
            sys.stdout.write(f"{name}: {found} states: all right\n")
            sys.stdout.flush()
    sys.stdout.write(f"{states} states in {time.monotonic() - began:.0f} s\n")
    return 0


def _all_of(base: Path, case: Case, step: int) -> int:
    for where in case.kills_in:
        from_within(base / where, case, where)
    number = 1
    while at_call(base / f"n{number}", case, number):
        number += step
    return len(case.kills_in) + number // step


if __name__ == "__main__":
    sys.exit(main())
