"""Whatever stands wherever in a file: it is accepted, or its problems are named; never a traceback."""

import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import yaml
from hypothesis import given, settings, strategies as st

from agentrun.core.model import Workflow
from agentrun.workflow.load import check_text
from agentrun.workflow.problems import render_problems
from tests.workflow.test_loading import SPEC_EXAMPLE

FULL = """
name: full
inputs: {a: {type: string, enum: [x, y]}, b: {type: boolean, default: true}}
defaults: {shell: sh, timeout: 3s}
debugger: {}
notify: [{url: "http://x", on: [failed]}]
retention: 3
steps:
  - id: a
    run: echo ${{ inputs.a }} "${{ inputs.b }}"
    if: inputs.b
    for_each: [1, 2]
    as: x
    until: output == 'x'
    max_rounds: 3
    on_error: [{match: {kind: [timeout], category: transient, exit_code: 3, text: x}, then: fallback}]
    fallback: [{python: m:f, with: {a: 1}}, {http: {url: "http://x"}}]
    checks: [ls, "${{ output }}"]
    output: {a: string, b: [number], c: {d: {enum: [1]}}}
    env: {A: b}
    cwd: /tmp
    stdin: {a: 1}
    component: c
    idempotent: false
    continue_on_error: true
    remedies: [{match: {kind: lock}, run: rm x}]
    retry: {max_attempts: 3, delay: 1s, on: [any], jitter: 0}
  - id: b
    http: {url: "http://x", method: POST, json: {a: "${{ steps.a.output }}"}, expect: [200, "2xx"]}
    needs: []
  - {id: c, wait: 3s}
  - {id: d, approval: {message: m, options: [a, b], timeout: 3s, default: a}}
  - {id: e, agent: {cli: {command: x, usage: {input_tokens: a}}, prompt: p, mcp: {x: {url: u}}}, session: a}
  - {id: f, workflow: nowhere.yaml, with: {a: 1}}
"""
BASES = [yaml.safe_load(SPEC_EXAMPLE), yaml.safe_load(FULL)]
JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1.5, 10**12, "", " ", "x", "a b", "${{ ", "${{ a }}", "${{ inputs.a", "{{ x }}", [], {}, [None], [[]],
     [{}], {"": 1}, {"a": {}}, "steps", "\x7f", "é", "id", "1s", "🎈" * 3, {"run": "x"}, {"schema": {}}, {"match": []}]
)  # fmt: skip


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(each for key, child in children for each in spots(child, (*path, key)))]


@st.composite
def files(draw: st.DrawFn) -> Any:
    data = copy.deepcopy(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(spots(data)[1:]))
        holder = data
        for key in path[:-1]:
            holder = holder[key]
        junk = copy.deepcopy(draw(JUNK))
        if isinstance(holder, dict) and draw(st.booleans()):
            holder[str(junk)[:20]] = holder.pop(path[-1])
        else:
            holder[path[-1]] = junk
    return data


@given(files())
@settings(max_examples=400, deadline=None)
def test_any_file_is_accepted_or_its_problems_are_named(data: Any) -> None:
    text = json.dumps(data, indent=1, ensure_ascii=False)
    workflow, problems = check_text(text, Path("flow.yaml"))
    assert render_problems(problems) or not problems
    assert all(each.message and each.line >= 0 for each in problems)
    if workflow is None:
        assert any(each.severity == "error" for each in problems)
    else:
        assert msgspec.json.decode(msgspec.json.encode(workflow), type=Workflow) == workflow


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_no_reason_for_a_traceback(text: str) -> None:
    for each in (text, f"steps:\n  - id: a\n    run: {text}\n", f"steps: [{{id: a, if: {text}}}]"):
        check_text(each, Path("flow.yaml"))
