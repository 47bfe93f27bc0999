"""docs/debugger.md names just the fixes that exist, as the code describes them."""

import re
from pathlib import Path

from agentrun.recovery.debugger.choice import MIN_CONFIDENCE
from agentrun.recovery.debugger.fixes import NAMES, kind_of
from agentrun.recovery.prediction import MIN_RUNS, MIN_RUNS_OF_ALL

DOCS = (Path(__file__).parents[2] / "docs" / "debugger.md").read_text("utf-8")


def test_the_table_of_fixes_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", DOCS, re.MULTILINE)
    told = {name: (does, needs) for name, does, needs in rows if name in NAMES}
    assert list(told) == list(NAMES)
    for name in NAMES:
        kind = kind_of(name)
        assert kind is not None
        does, needs = told[name]
        assert does == kind.about
        if isinstance(kind.risk, str):
            assert needs.startswith(f"`{kind.risk}`")
        else:
            assert "`safe`" in needs
            assert "`full`" in needs


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"below {MIN_CONFIDENCE:.0%}".replace("%", " %") in DOCS
    assert f"Below {MIN_RUNS} runs of a step or {MIN_RUNS_OF_ALL} of the" in DOCS
