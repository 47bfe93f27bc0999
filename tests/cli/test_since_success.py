"""`debug` tells what differs from the last time that the failed step succeeded."""

import os
from pathlib import Path
from typing import Any

import pytest

from agentrun import last_success
from tests.cli.conftest import Agentrun, Write

FLOW = """
    name: since
    inputs: {n: {type: integer, default: 1}, items: {type: array, default: [1]}}
    steps:
      - {id: make, run: 'echo "value ${{ inputs.n }}"'}
      - {id: use, run: 'test "${{ inputs.n }}" -lt 3; echo "${{ steps.make.output }}"'}
      - {id: each, for_each: "${{ inputs.items }}", run: 'test "${{ item }}" != bad'}
"""


def since(agentrun: Agentrun) -> Any:
    (incident,) = agentrun("debug", "latest", "--json").json["incidents"]
    return incident["since"]


def test_inputs_and_outputs_that_changed_are_told(agentrun: Agentrun, write: Write) -> None:
    flow = str(write("flow.yaml", FLOW))
    agentrun("run", flow)
    good = agentrun("run", flow, "-i", "n=2", "--json").json["task_id"]
    agentrun("run", flow, "-i", "n=5")
    found = since(agentrun)
    assert found["task_id"] == good
    assert found["differences"] == [
        {"what": "input n", "then": 2, "now": 5},
        {"what": "output of make", "then": "value 2", "now": "value 5"},
    ]
    for form in ((), ("--report", "md"), ("--report", "html")):
        assert "input n: 2 → 5" in agentrun("debug", "latest", *form).out


def test_a_changed_definition_and_a_changed_item_are_told(agentrun: Agentrun, write: Write) -> None:
    flow = str(write("flow.yaml", FLOW))
    agentrun("run", flow)
    write("flow.yaml", FLOW.replace('!= bad"', '!= bad  "').replace("!= bad", "!= BAD"))
    agentrun("run", flow, "-i", 'items=["BAD"]')
    told = {each["what"]: (each["then"], each["now"]) for each in since(agentrun)["differences"]}
    assert told["the item"] == (1, "BAD")
    assert told["the step's command"] == (
        'test "${{ item }}" != bad',
        'test "${{ item }}" != BAD',
    )


def test_nothing_that_is_recorded_differs(
    agentrun: Agentrun, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = str(write("flow.yaml", "name: since\nsteps:\n  - {id: a, run: test ! -e broken}\n"))
    agentrun("run", flow)
    write("broken", "")
    agentrun("run", flow)
    assert since(agentrun)["differences"] == []
    assert "nothing that is recorded differs" in agentrun("debug", "latest").out
    monkeypatch.setattr(last_success, "LOOK_AT_BYTES", 10)
    assert since(agentrun) is None


def test_without_an_earlier_success_nothing_is_said(agentrun: Agentrun, write: Write) -> None:
    flow = str(write("flow.yaml", FLOW))
    agentrun("run", flow, "-i", "n=5")
    agentrun("run", flow, "-i", "n=6")
    write("other.yaml", FLOW.replace("name: since", "name: other"))
    agentrun("run", str(write("other.yaml", FLOW.replace("since", "other"))))
    agentrun("run", flow, "-i", "n=7")
    assert since(agentrun) is None
    assert "since it last succeeded" not in agentrun("debug", "latest").out


def test_what_else_lies_in_the_folder_is_passed_over(
    agentrun: Agentrun, write: Write, tmp_path: Path
) -> None:
    flow = str(write("flow.yaml", FLOW))
    agentrun("run", flow, "-i", "n=2")
    failed = agentrun("run", flow, "-i", "n=5", "--json").json["task_id"]
    root = next(tmp_path.rglob(failed)).parent
    (root / "since-odd").mkdir()
    os.mkfifo(root / "since-odd" / "journal.jsonl")
    os.utime(root / failed / "journal.jsonl")  # it is the newest: the odd one comes next
    (incident,) = agentrun("debug", failed, "--json").json["incidents"]
    assert incident["since"]["differences"][0] == {"what": "input n", "then": 2, "now": 5}
