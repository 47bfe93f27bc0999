"""A correct file becomes the workflow that it says; what belongs to several steps is checked."""

import time
from pathlib import Path
from typing import Any

import pytest

from agentrun.core.model import Budget, Limit, OutputSpec, RetryPolicy, Workflow
from agentrun.workflow.load import check_file, load_file, load_text
from agentrun.workflow.order import Ancestors, implicit_needs, sorted_by_needs
from agentrun.workflow.problems import InvalidWorkflow
from tests.workflow.loading import errors, load, problems, warnings

SPEC_EXAMPLE = """
name: triage                      # default: the file's stem
description: Label new issues
inputs:
  repo:  {type: string, description: owner/name}
  limit: {type: integer, default: 20}
secrets: [ANTHROPIC_API_KEY]
env: {LC_ALL: C.UTF-8}
defaults:
  timeout: 10m
  retry: {max_attempts: 3}
limits:
  claude: {concurrency: 4, rate: 50/min}
breakers:
  claude: {failures: 5, window: 60s, cooldown: 30s}
budget: {usd: 5, tokens: 2M, time: 2h}
debugger: {agent: {cli: claude}, autofix: safe, max_fixes: 2}
steps:
  - id: issues
    run: gh issue list --repo "${{ inputs.repo }}" --limit "${{ inputs.limit }}" --json number,title,body
    output: json
  - id: label
    for_each: ${{ steps.issues.output }}
    as: issue
    max_parallel: 4
    agent:
      cli: claude
      prompt: |
        Label this issue: ${{ issue.title }}
    output: {label: {enum: [bug, feature, question]}, confidence: number}
    retry: {max_attempts: 5, delay: 2s, backoff: exponential, factor: 2, max_delay: 60s}
    fallback:
      - {agent: {cli: codex}}
  - id: report
    needs: [label]
    python: triage.report:write
    with: {labels: "${{ steps.label.output }}"}
outputs:
  labels: ${{ steps.label.output }}
"""


def chain(count: int) -> str:
    steps = [
        f'  - id: s{n}\n    python: m:f\n    with: {{x: "${{{{ steps.s{max(n - 1, 0)}.status }}}}"}}\n'
        for n in range(1, count)
    ]
    return "steps:\n  - id: s0\n    python: m:f\n" + "".join(steps)


def test_the_example_of_the_contract_is_read() -> None:
    workflow = load(SPEC_EXAMPLE)
    assert workflow.name == "triage"
    assert workflow.inputs["repo"].required
    assert workflow.inputs["limit"].default == 20
    assert workflow.limits["claude"] == Limit(concurrency=4, rate=50.0, per_s=60.0)
    assert workflow.budget == Budget(usd=5.0, tokens=2_000_000, time_s=7200.0)
    issues, label, report = workflow.steps
    assert issues.timeout_s == 600
    assert issues.retry == RetryPolicy(max_attempts=3)
    assert label.retry == RetryPolicy(max_attempts=5, delay_s=2.0)
    assert label.needs == ("issues",)
    assert label.output == OutputSpec(
        form="schema",
        schema={
            "type": "object",
            "properties": {
                "label": {"enum": ["bug", "feature", "question"]},
                "confidence": {"type": "number"},
            },
            "required": ["label", "confidence"],
        },
    )
    assert report.needs == ("label",)


def test_another_agent_as_fallback_is_asked_the_same() -> None:
    fallback = load(SPEC_EXAMPLE).steps[1].fallback[0]
    assert fallback.spec["cli"] == "codex"
    assert fallback.spec["prompt"] == "Label this issue: ${{ issue.title }}\n"
    assert fallback.component == "codex"


def test_the_name_defaults_to_the_stem_of_the_file() -> None:
    assert load("steps: [{id: a, run: ls}]", "folder/nightly.yaml").name == "nightly"


def test_five_mistakes_are_found_at_once_with_their_lines() -> None:
    found = errors("""\
        steps:
          - id: fetch-it
            run: ls
          - id: b
            run: echo '${{ inputs.x }}'
            timeout: soon
          - id: c
            needs: [d]
            retry: {max_attempts: 0}
            python: m:f
    """)
    assert [each.line for each in found] == [2, 5, 5, 6, 8, 9]


def test_every_problem_shows_the_line_and_points_into_it() -> None:
    with pytest.raises(InvalidWorkflow) as caught:
        load("steps:\n  - id: a\n    rum: ls\n")
    text = str(caught.value)
    assert (
        "flow.yaml:3:5: error: unknown key `rum`\n  3 |     rum: ls\n    |     ^\n  hint: did you mean `run`?"
        in text
    )
    assert caught.value.exit_code == 2


# --- order


def needs_of(workflow: Workflow) -> dict[str, tuple[str, ...]]:
    return {step.id: step.needs for step in workflow.steps}


def test_a_step_waits_for_all_above_written_without_repetition() -> None:
    text = """
        steps:
          - {id: a, run: ls}
          - {id: b, run: ls, needs: [a]}
          - {id: c, run: ls, needs: [a]}
          - {id: d, run: ls, needs: []}
          - {id: e, run: ls}
          - {id: f, run: ls}
    """
    assert needs_of(load(text)) == {
        "a": (), "b": ("a",), "c": ("a",), "d": (), "e": ("b", "c", "d"), "f": ("e",),
    }  # fmt: skip


def test_a_step_may_need_one_further_down() -> None:
    text = "steps:\n  - {id: a, run: ls, needs: [b]}\n  - {id: b, run: ls, needs: []}\n"
    assert needs_of(load(text)) == {"a": ("b",), "b": ()}


def test_a_cycle_through_the_implicit_order_is_shown() -> None:
    found = errors(
        "steps:\n  - {id: a, run: ls, needs: [c]}\n  - {id: b, run: ls}\n  - {id: c, run: ls}\n"
    )
    assert [each.line for each in found] == [2]
    assert "a → c → b → a" in found[0].message


def test_a_cycle_hides_no_other_mistake() -> None:
    found = errors("""
steps:
  - {id: a, run: 'echo ${{ steps.a.output }}'}
  - {id: b, run: 'echo ${{ steps.d.output }}', needs: [c]}
  - {id: c, run: 'echo ${{ steps.b.output }}', needs: [b]}
  - {id: d, run: 'echo ${{ steps.a.output }}'}
  - {id: e, run: 'echo ${{ steps.d.output }}', needs: [a]}
  - {id: f, run: ls, needs: [f, g]}
  - {id: g, run: ls, needs: [h]}
  - {id: h, run: ls, needs: [g]}
""")
    assert [(each.line, each.message.partition(":")[0]) for each in found] == [
        (3, "step `a` refers to itself"),
        (4, "the steps wait for each other"),
        (7, "step `e` does not wait for `d`, so it can't use its output"),
        (8, "step `f` waits for itself"),
        (9, "the steps wait for each other"),
    ]


def test_a_file_full_of_cycles_is_read_in_sane_time() -> None:
    started = time.perf_counter()
    ring = "".join(f"  - {{id: s{i}, run: ls, needs: [s{i ^ 1}]}}\n" for i in range(4_000))
    assert len(errors(f"steps:\n{ring}")) == 20
    assert time.perf_counter() - started < 20


def test_everything_above_is_upstream_of_a_step_without_needs() -> None:
    steps = [("a", None), ("b", ()), ("c", ("a",)), ("d", None), ("e", ("b",)), ("f", None)]
    needs = implicit_needs(steps)
    ordered, cycle = sorted_by_needs(needs)
    assert not cycle
    above = Ancestors(needs, ordered)
    assert all(above.has("d", each) for each in "abc")
    assert all(above.has("f", each) for each in "abcde")
    assert not above.has("e", "a")


def test_a_chain_of_ten_thousand_steps_is_read_in_linear_space_and_sane_time() -> None:
    started = time.process_time()
    workflow = load(chain(10_000))
    assert time.process_time() - started < 20
    assert max(len(step.needs) for step in workflow.steps) == 1


# --- defaults


def test_a_steps_own_key_wins_and_retry_merges_key_by_key() -> None:
    text = """
        defaults: {timeout: 10s, retry: {max_attempts: 7, delay: 2s}, shell: sh, idempotent: false}
        steps:
          - {id: a, run: ls}
          - {id: b, run: ls, timeout: 3s, retry: {delay: 9s}, shell: bash, idempotent: true}
          - {id: c, run: ls, timeout: null, retry: null}
          - {id: d, wait: 1s}
          - {id: e, approval: ok?}
    """
    a, b, c, d, e = load(text).steps
    assert (a.timeout_s, a.retry, a.spec["shell"], a.idempotent) == (
        10,
        RetryPolicy(7, 2.0),
        "sh",
        False,
    )
    assert (b.timeout_s, b.retry, b.spec["shell"], b.idempotent) == (
        3,
        RetryPolicy(7, 9.0),
        "bash",
        True,
    )
    assert (c.timeout_s, c.retry) == (None, None)
    assert (d.timeout_s, d.retry, e.timeout_s, e.retry) == (None, None, None, None)


def test_a_default_that_means_nothing_for_a_kind_is_left_out() -> None:
    text = "defaults: {cwd: /tmp}\nsteps:\n  - {id: a, http: {url: 'http://x'}}\n  - {id: b, run: ls}\n"
    a, b = load(text).steps
    assert (a.cwd, b.cwd) == (None, "/tmp")


def test_a_mistake_in_defaults_is_named_there() -> None:
    found = errors("defaults:\n  timeout: soon\n  needs: [a]\nsteps: [{id: a, run: ls}]\n")
    assert [each.line for each in found] == [2, 3]


# --- what a step is


def hash_of(step: str, top: str = "") -> str:
    return load(f"{top}\nsteps:\n  - {{id: z, run: ls}}\n  - {step}\n").steps[-1].content_hash


def test_the_hash_of_a_step_is_that_of_what_it_does() -> None:
    plain = hash_of("{id: a, run: ls}")
    same = ["{id: b, run: ls}", "{id: a, run: ls, name: N, timeout: 3s, retry: {max_attempts: 9}, needs: []}",
            "{id: a, run: ls, shell: bash}", "{id: a, run: ls, on_error: [{then: fail}], idempotent: false}"]  # fmt: skip
    other = ["{id: a, run: ls -l}", "{id: a, run: ls, env: {A: b}}", "{id: a, run: ls, output: json}",
             "{id: a, run: ls, cwd: /}", "{id: a, run: ls, for_each: [1]}", "{id: a, run: ls, shell: sh}"]  # fmt: skip
    assert all(hash_of(each) == plain for each in same)
    assert len({plain, *map(hash_of, other)}) == len(other) + 1
    assert hash_of("{id: a, run: ls}", "env: {A: b}") != plain


def test_values_with_expressions_may_stand_where_numbers_and_lists_are_expected() -> None:
    text = """
        inputs: {codes: {type: array, default: [200]}, n: {type: integer, default: 1}}
        steps:
          - id: a
            http: {url: "http://x/${{ inputs.n }}", expect: "${{ inputs.codes }}", headers: "${{ env }}"}
          - id: b
            workflow: sub.yaml
            with: {n: "${{ inputs.n }}"}
    """
    found = [each for each in errors(text) if "sub.yaml" not in each.message]
    assert found == []


def test_any_command_may_be_true() -> None:
    assert load("steps: [{id: a, run: true}]").steps[0].spec["command"] == "true"


# --- sub-workflows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "main.yaml").write_text(
        "steps:\n  - id: a\n    workflow: parts/sub.yaml\n    with: {word: hi}\n  - id: b\n    run: echo ${{ steps.a.output.said }}\n"
    )
    (tmp_path / "parts" / "sub.yaml").write_text(
        "inputs: {word: {}}\nsteps:\n  - id: say\n    run: echo ${{ inputs.word }}\n"
        "  - id: more\n    workflow: deep.yaml\noutputs: {said: '${{ steps.say.output }}'}\n"
    )
    (tmp_path / "parts" / "deep.yaml").write_text("steps:\n  - {id: x, run: ls}\n")
    return tmp_path


def test_sub_workflows_are_loaded_with_their_texts(folder: Path) -> None:
    workflow = load_file(folder / "main.yaml")
    sub = workflow.subworkflows["parts/sub.yaml"]
    assert sub.subworkflows["deep.yaml"].steps[0].id == "x"
    assert set(workflow.sources) == {"parts/sub.yaml", "parts/deep.yaml"}


def test_pinned_sub_workflows_need_no_disk(folder: Path) -> None:
    before = load_file(folder / "main.yaml")
    text = (folder / "main.yaml").read_text()
    for name in ("parts/sub.yaml", "parts/deep.yaml"):
        (folder / name).unlink()
    after = load_text(text, folder / "main.yaml", before.sources)
    assert after.steps == before.steps
    with pytest.raises(InvalidWorkflow, match="not among the pinned files"):
        load_text(text, folder / "main.yaml", {})


def test_an_edit_below_changes_the_hash_above(folder: Path) -> None:
    before = load_file(folder / "main.yaml").steps[0].content_hash
    (folder / "parts" / "deep.yaml").write_text("steps:\n  - {id: x, run: pwd}\n")
    assert load_file(folder / "main.yaml").steps[0].content_hash != before


def test_a_workflow_that_leads_back_to_itself_is_refused(folder: Path) -> None:
    (folder / "parts" / "deep.yaml").write_text("steps:\n  - {id: x, workflow: ../main.yaml}\n")
    with pytest.raises(
        InvalidWorkflow,
        match=r"leads back to itself: main.yaml → parts/sub.yaml → parts/deep.yaml → main.yaml",
    ):
        load_file(folder / "main.yaml")


def test_a_chain_of_files_without_end_is_refused(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"f{number}.yaml").write_text(
            f"steps:\n  - {{id: x, workflow: f{number + 1}.yaml}}\n"
        )
    (tmp_path / "f12.yaml").write_text("steps: [{id: x, run: ls}]\n")
    with pytest.raises(InvalidWorkflow, match="nested deeper than 8"):
        load_file(tmp_path / "f0.yaml")


def test_a_mistake_in_a_sub_workflow_names_its_file(folder: Path) -> None:
    (folder / "parts" / "deep.yaml").write_text("steps:\n  - {id: x, rum: ls}\n")
    _, found = check_file(folder / "main.yaml")
    assert any(each.file.endswith("deep.yaml") and "`rum`" in each.message for each in found)


@pytest.mark.parametrize(
    ("with_", "message"),
    [
        ("{}", "needs the input `word`"),
        ("{word: 3}", "must be a string, not `3`"),
        ("{word: a, wrod: b}", "has no input `wrod`"),
    ],
)
def test_the_inputs_of_a_sub_workflow_are_checked(folder: Path, with_: str, message: str) -> None:
    main = folder / "main.yaml"
    main.write_text(f"steps:\n  - id: a\n    workflow: parts/sub.yaml\n    with: {with_}\n")
    with pytest.raises(InvalidWorkflow, match=message):
        load_file(main)


def test_a_sub_workflow_that_is_not_there_is_named() -> None:
    found = errors("steps:\n  - id: a\n    workflow: nowhere.yaml\n")
    assert "`nowhere.yaml` can't be read" in found[0].message
    assert errors("inputs: {p: {}}\nsteps:\n  - id: a\n    workflow: ${{ inputs.p }}\n")


# --- warnings


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("inputs:\n  a: {}\nsteps: [{id: a, run: ls}]", 2, "the input `a` is never used"),
        ("steps:\n  - id: a\n    run: curl --retry 5 http://x", 3, "retries by itself"),
        (
            "steps:\n  - id: a\n    run: ls\n    env: {API_TOKEN: abcdefghijkl}",
            4,
            "a secret in plain text",
        ),
        ("steps:\n  - id: a\n    run: echo ghp_" + "a1" * 20, 3, "a secret in plain text"),
        ("steps:\n  - id: a\n    run: ls\n    if: false", 4, "step `a` is never run"),
        ("steps:\n  - id: a\n    run: ls\n    for_each: []", 4, "step `a` is never run"),
        ("steps:\n  - id: a\n    python: nowhere.py:main", 3, "there is no file `nowhere.py`"),
        (
            "steps:\n  - id: a\n    run: ls\n    timeout: 1s\n    idle_timeout: 2s",
            5,
            "not shorter than `timeout`",
        ),
        (
            "steps:\n  - id: a\n    run: ls\n    retry: {delay: 2m}",
            4,
            "`delay` is longer than `max_delay`",
        ),
    ],
)
def test_what_is_likely_a_mistake_is_a_warning_and_no_error(
    text: str, line: int, message: str
) -> None:
    found = warnings(text)
    assert [(each.line, message in each.message) for each in found] == [(line, True)]
    load(text)


# --- rules


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{match: {kind: security}, then: retry}", "is never retried"),
        ("{match: {exit_code: 0}, then: retry}", "exit code 0 is no failure"),
        (
            "{match: {kind: timeout, category: fatal}, then: fail}",
            "timeout is transient, not fatal",
        ),
        ("{match: {text: '['}, then: retry}", "not a regular expression"),
        ("{match: {kind: timeout}, then: ignore}", "`then` can't be `ignore`"),
        ("{match: {kind: timeout}}", "does not say what to do"),
        ("{match: {kind: timeout}, then: fallback}", "the step has no `fallback`"),
        ("{match: {kinds: timeout}, then: retry}", "unknown key `kinds`"),
        ("{match: {category: permanent}, then: fail}", "`permanent` is no category"),
        ("retry", "a rule must be a mapping"),
    ],
)
def test_a_rule_that_can_not_work_is_refused(rule: str, message: str) -> None:
    found = errors(f"steps:\n  - id: a\n    run: ls\n    on_error:\n      - {rule}\n")
    assert [(each.line, message in each.message) for each in found] == [(5, True)], found


def test_a_rule_among_the_defaults_need_not_fit_every_step() -> None:
    load("""
        defaults:
          on_error:
            - {match: {exit_code: 3}, then: fallback}
            - {match: {status: 404}, then: continue}
        steps: [{id: a, run: ls}, {id: b, http: https://example.com}, {id: c, wait: 1s}]
    """)


def test_an_action_may_be_a_key_of_its_own() -> None:
    text = "steps:\n  - id: a\n    run: ls\n    on_error: [{match: {exit_code: [1, 2]}, retry: true}, {continue: true}]\n"
    rules = load(text).steps[0].on_error
    assert [(rule.action, rule.exit_code) for rule in rules] == [
        ("retry", (1, 2)),
        ("continue", ()),
    ]


# --- output


@pytest.mark.parametrize(
    ("output", "spec"),
    [
        ("text", OutputSpec()),
        ("lines", OutputSpec("lines")),
        ("{n: number, tags: [string]}", OutputSpec("schema", {
            "type": "object",
            "properties": {"n": {"type": "number"}, "tags": {"type": "array", "items": {"type": "string"}}},
            "required": ["n", "tags"],
        })),
        ("{schema: {type: array, items: {type: integer}}}", OutputSpec("schema", {"type": "array", "items": {"type": "integer"}})),
    ],
)  # fmt: skip
def test_the_forms_of_output(output: str, spec: Any) -> None:
    assert load(f"steps: [{{id: a, run: ls, output: {output}}}]").steps[0].output == spec


@pytest.mark.parametrize(
    "output",
    ["yaml", "{}", "[json]", "{a: {enum: []}}", "{schema: {type: nope}}", "{a: {type: nope}}"],
)
def test_an_output_that_is_none_is_refused(output: str) -> None:
    assert errors(f"steps: [{{id: a, run: ls, output: {output}}}]")


def test_a_file_may_hold_problems_of_both_severities() -> None:
    found = problems(
        "inputs:\n  a: {}\nsteps:\n  - {id: a, run: ls, if: false, retry: {factor: 0}}\n"
    )
    assert {each.severity for each in found} == {"error", "warning"}


# --- prompt files


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("Hello ${{ inputs.nmae }}", "in `p.md`: there is no input `nmae`"),
        ("{% for x in steps.later.output %}${{ x }}{% endfor %}", "does not wait for `later`"),
        ("{% if %}", "in `p.md`: line 1 of the prompt"),
        ("${{ output }}", "`output` has no meaning here"),
    ],
)
def test_a_mistake_in_a_prompt_file_is_found_before_anything_runs(
    tmp_path: Path, prompt: str, message: str
) -> None:
    (tmp_path / "p.md").write_text(prompt)
    flow = tmp_path / "flow.yaml"
    text = "inputs: {name: {}}\nsteps:\n  - id: a\n    agent: {cli: claude, prompt_file: p.md}\n  - {id: later, run: 'echo ${{ inputs.name }}'}\n"
    flow.write_text(text)
    _, found = check_file(flow)
    assert [(each.line, message in each.message) for each in found if each.severity == "error"] == [
        (4, True)
    ], found
    load_text(text, flow, {})  # a pinned task is not stopped by a file that changed


def test_a_prompt_files_own_variables_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text(
        "{% set x = inputs.name %}{% macro m(y) %}${{ y }}{% endmacro %}${{ m(x) }}{% for i in [1] %}${{ loop.index + i }}{% endfor %}"
    )
    (tmp_path / "flow.yaml").write_text(
        "inputs: {name: {}}\nsteps:\n  - id: a\n    agent: {cli: claude}\n    prompt_file: p.md\n"
    )
    workflow, found = check_file(tmp_path / "flow.yaml")
    assert workflow is not None, found


def test_a_prompt_file_that_is_not_there_is_a_warning() -> None:
    text = "steps:\n  - id: a\n    agent: {cli: claude, prompt_file: nowhere.md}\n"
    assert ["`nowhere.md` can't be read" in each.message for each in warnings(text)] == [True]


def test_a_misspelt_kind_is_one_mistake() -> None:
    for step in ("rnu: ls", "command: ls", "prompt: hi"):
        assert len(errors(f"steps:\n  - {{id: a, {step}}}\n")) == 1
