"""The contract's chapter on the workflow file, sentence by sentence, through the real command."""

import json
import os
import signal
from datetime import datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.acceptance.conftest import PATIENCE_S, Shop

EXAMPLE = """
name: triage                      # default: the file's stem
description: Label new issues
inputs:
  repo:  {type: string, description: owner/name}          # required unless it has a default
  limit: {type: integer, default: 20}
secrets: [ANTHROPIC_API_KEY]      # environment variables that must be set; their values never reach disk or a log
env: {LC_ALL: C.UTF-8}
defaults:                         # any common step key; a step's own key wins
  timeout: 10m
  retry: {max_attempts: 3}
limits:                           # per component, across all steps and all tasks of this checkpoint folder
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
HOSTILE = "it's $(touch pwned) `touch pwned` \"; touch pwned; *\n$HOME \\ %s 'x"


# --- the file -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["validate", "graph"])
def test_the_example_is_valid_as_printed(shop: Shop, command: str) -> None:
    shop.write("triage.yaml", EXAMPLE)
    ran = shop(command, "triage.yaml")
    assert ran.code == 0, ran.err


def test_the_example_runs_with_its_programs_in_place(shop: Shop) -> None:
    shop.write("triage.yaml", EXAMPLE)
    shop.program("gh", """
        #!/bin/sh
        [ "$4" = "o/n" ] && [ "$6" = 20 ] || exit 9
        echo '[{"number": 1, "title": "a bug"}, {"number": 2, "title": "a wish"}]'
    """)  # fmt: skip
    shop.claude({"label": "bug", "confidence": 0.9})
    shop.write("triage/__init__.py", "")
    shop.write(
        "triage/report.py",
        """
        import json
        def write(labels):
            open("report.json", "w").write(json.dumps(labels))
    """,
    )
    ran = shop("run", "triage.yaml", "-i", "repo=o/n", ANTHROPIC_API_KEY="sk-ant-very-secret-1")
    assert ran.code == 0, ran.err
    label = {"label": "bug", "confidence": 0.9}
    assert ran.json == {"labels": [label, label]}
    assert json.loads((shop.folder / "report.json").read_text()) == [label, label]
    assert b"sk-ant-very-secret-1" not in shop.disk()


def test_the_name_is_by_default_the_stem_of_the_file(shop: Shop) -> None:
    shop.write("my-flow.yaml", "steps: [{id: a, run: echo hi}]")
    ran = shop("run", "my-flow.yaml", "--json")
    assert ran.json["workflow"] == "my-flow"
    assert ran.id.startswith("my-flow-")


def test_an_input_is_required_unless_it_has_a_default(shop: Shop) -> None:
    shop.write(
        "flow.yaml",
        """
        inputs: {a: {type: string}, b: {type: integer, default: 20}}
        steps: [{id: s, run: 'echo "${{ inputs.a }} ${{ inputs.b }}"'}]
    """,
    )
    refused = shop("run", "flow.yaml")
    assert (refused.code, "`a`" in refused.err) == (2, True)
    assert not (shop.folder / "checkpoints").exists()
    assert shop("run", "flow.yaml", "-i", "a=x").out == "x 20\n"


def test_secrets_must_be_set_and_never_reach_disk_or_a_log(shop: Shop) -> None:
    shop.write(
        "flow.yaml",
        """
        secrets: [MY_TOKEN]
        steps:
          - {id: leak, run: 'echo "token=$MY_TOKEN"; echo "$MY_TOKEN" >&2'}
          - {id: use, run: 'echo "${{ steps.leak.output }}" >> used; exit 1'}
    """,
    )
    assert shop("run", "flow.yaml").code == 2
    ran = shop("run", "flow.yaml", MY_TOKEN="s3cr3t-v4lue-xyz")
    assert ran.code == 1
    assert shop.lines("used") == ["token=s3cr3t-v4lue-xyz"]
    assert b"s3cr3t-v4lue-xyz" not in shop.disk()
    assert "s3cr3t-v4lue-xyz" not in ran.err


def test_an_output_that_holds_a_secret_is_resolved_again_on_resume(shop: Shop) -> None:
    shop.write(
        "flow.yaml",
        """
        secrets: [MY_TOKEN]
        steps: [{id: a, run: 'echo "t=$MY_TOKEN"'}, {id: b, run: test -e good}]
        outputs: ${{ steps.a.output }}
    """,
    )
    ran = shop("run", "flow.yaml", "--json", MY_TOKEN="s3cr3t-v4lue-xyz")
    (shop.folder / "good").touch()
    assert shop("resume", ran.id).code == 2
    done = shop("resume", ran.id, MY_TOKEN="s3cr3t-v4lue-xyz")
    assert (done.code, done.out) == (0, "t=s3cr3t-v4lue-xyz\n")
    assert b"s3cr3t-v4lue-xyz" not in shop.disk()


def test_env_holds_for_all_steps_and_a_steps_own_wins(shop: Shop) -> None:
    ran = shop.run("""
        env: {A: file, B: file}
        steps: [{id: a, env: {B: step}, run: 'echo "$A $B ${{ env.A }} ${{ env.B }}"'}]
    """)
    assert ran.json["outputs"] == "file step file step"


def test_defaults_hold_for_each_step_its_own_key_wins_and_retry_merges(shop: Shop) -> None:
    ran = shop.run("""
        defaults: {retry: {max_attempts: 4, delay: 10ms, on: [any]}, env: {A: default}, timeout: 1m}
        steps:
          - {id: a, run: 'echo x >> a; exit 9', continue_on_error: true}
          - {id: b, run: 'echo x >> b; exit 9', retry: {max_attempts: 2}, continue_on_error: true}
          - {id: c, run: echo $A, env: {A: own}}
          - {id: d, wait: 1ms}
        outputs: ${{ steps.c.output }}
    """)
    assert (ran.code, ran.json["outputs"]) == (0, "own")
    assert (len(shop.lines("a")), len(shop.lines("b"))) == (4, 2)


@pytest.mark.parametrize("text", [
    "limits: {api: {concurrency: 1}}",
    "limits: {api: {rate: 50/min}}",
    "breakers: {api: {failures: 1, window: 1h, cooldown: 500ms}}",
    "budget: {usd: 0.5}",
    "budget: {tokens: 200k}",
    "budget: {time: 1h30m}",
    "debugger: {autofix: 'off'}",
    "debugger: {autofix: suggest, max_fixes: 0}",
    "debugger: {autofix: full, agent: {model: 'anthropic:claude-sonnet-4-5'}}",
    "retention: 5",
    "notify: [{url: 'https://example.com/hook', on: [failed]}]",
])  # fmt: skip
def test_every_key_of_the_file_is_known(shop: Shop, text: str) -> None:
    shop.write("flow.yaml", f"{text}\nsteps: [{{id: a, run: echo hi}}]\n")
    assert shop("validate", "flow.yaml").code == 0


def test_limits_hold_across_steps(shop: Shop) -> None:
    shop.run("""
        limits: {api: {concurrency: 1}}
        steps:
          - {id: a, needs: [], component: api, run: echo + >> t; sleep 0.1; echo - >> t}
          - {id: b, needs: [], component: api, run: echo + >> t; sleep 0.1; echo - >> t}
    """)
    assert shop.lines("t") == ["+", "-", "+", "-"]


def test_limits_hold_across_tasks(shop: Shop) -> None:
    shop.write(
        "flow.yaml",
        """
        limits: {api: {concurrency: 1}}
        steps: [{id: a, component: api, run: echo + >> t; sleep 0.2; echo - >> t}]
    """,
    )
    both = [shop.start("run", "flow.yaml") for _ in range(2)]
    assert [each.wait(PATIENCE_S) for each in both] == [0, 0]
    assert shop.lines("t") == ["+", "-", "+", "-"]


# --- strict -------------------------------------------------------------------------------------


MISTAKES = """
nmae: x
inputs: {who: {type: string, defualt: x}}
steps:
  - id: a
    run: echo hi
    retries: 3
  - id: b
    run: echo "${{ steps.aa.output }}"
    run: echo twice
  - id: c
    name: no
    run: echo "${{ inputs.whom }}"
  - id: d
    needs: []
    run: echo "${{ steps.a.output }}"
"""


def test_all_mistakes_are_found_at_once_with_place_line_and_hint(shop: Shop) -> None:
    said = shop.refused(MISTAKES)
    for line, column, text, hint in [
        (2, 1, "nmae: x", "`name`"),
        (3, 30, "defualt", "`default`"),
        (7, 5, "retries: 3", "max_attempts"),
        (9, None, "steps.aa.output", "`a`"),
        (10, 5, "echo twice", ""),
        (12, 11, "name: no", '"no"'),
        (13, None, "inputs.whom", "`who`"),
        (16, None, "steps.a.output", "needs"),
    ]:
        place = f"flow.yaml:{line}:" + (f"{column}:" if column else "")
        assert place in said, (place, said)
        assert text in said
        assert hint in said


def test_mistakes_are_found_before_anything_runs(shop: Shop) -> None:
    shop.write("flow.yaml", "steps:\n  - {id: a, run: touch ran}\n  - {id: b, rnu: x}\n")
    assert shop("run", "flow.yaml").code == 2
    assert not (shop.folder / "ran").exists()
    assert not (shop.folder / "checkpoints").exists()


@pytest.mark.parametrize("text", [
    "steps:\n  - {id: a, needs: [b], run: x}\n  - {id: b, needs: [a], run: x}",
    "steps:\n  - {id: a, needs: [a], run: x}",
    "steps:\n  - {id: a, needs: [nope], run: x}",
    "steps:\n  - {id: a, run: x}\n  - {id: a, run: x}",
    "steps:\n  - {id: a, run: x, wait: 1s}",
    "steps:\n  - {id: a, name: only}",
    "steps: []",
    "steps:\n  - {id: a, wait: 1s, stdin: x}",
    "steps:\n  - {id: a, run: 'echo ${{ steps.b.output }}'}\n  - {id: b, run: x}",
    "steps:\n  - {id: a, run: 'echo ${{ nope }}'}",
    "steps:\n  - {id: a, run: 'echo ${{ inputs. }}'}",
    "steps:\n  - {id: a, env: {X: no}, run: x, if: ''}",
    "steps:\n  - {id: a, timeout: 10 parsecs, run: x}",
    "steps:\n  - {id: a, retry: {on: [sometimes]}, run: x}",
    "steps:\n  - {id: a, on_error: [{match: {kind: nope}, then: retry}], run: x}",
    "steps:\n  - {id: a, run: 123}",
    "steps:\n  - {id: a, approval: {message: go, options: [a, b], default: c}}",
    "steps:\n  - {id: a, run: !!python/object/apply:os.system ['touch pwned']}",
])  # fmt: skip
def test_what_is_wrong_is_refused(shop: Shop, text: str) -> None:
    assert "flow.yaml:" in shop.refused(text + "\n")
    assert not (shop.folder / "pwned").exists()


def test_the_same_files_are_accepted_with_and_without_libyaml(shop: Shop) -> None:
    shop.write("without/sitecustomize.py", "import sys; sys.modules['yaml._yaml'] = None")
    both = [shop.refused(MISTAKES)]
    shop.env["PYTHONPATH"] += f":{shop.folder / 'without'}"
    both.append(shop.refused(MISTAKES))
    assert both[0] == both[1]
    shop.write("triage.yaml", EXAMPLE)
    assert shop("validate", "triage.yaml").code == 0


@pytest.mark.slow
def test_alias_expansion_depth_and_size_are_bounded(shop: Shop) -> None:
    rows = "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]\n" for n in range(1, 9))
    began = os.times()
    shop.refused(f"b0: &b0 [x, x, x]\n{rows}steps: [{{id: a, run: x}}]\n")
    shop.refused("steps: " + "[" * 5000)
    shop.refused(f"description: {'x' * 9_000_000}\nsteps: [{{id: a, run: x}}]\n")
    used_s = os.times().children_user - began.children_user
    assert used_s < 10, "of a processor; blown up, it takes minutes"


@pytest.mark.parametrize("command", ["validate", "graph"])
def test_looking_at_a_workflow_imports_and_runs_nothing_of_it(shop: Shop, command: str) -> None:
    shop.write("evil.py", "open('imported', 'w')\ndef f(): pass\n")
    shop.write(
        "flow.yaml",
        """
        steps: [{id: a, run: touch imported}, {id: b, python: "evil:f"}, {id: c, python: "evil.py:f"}]
    """,
    )
    assert shop(command, "flow.yaml").code == 0
    assert not (shop.folder / "imported").exists()


# --- order --------------------------------------------------------------------------------------


def test_a_step_waits_for_every_step_above_unless_it_has_needs(shop: Shop) -> None:
    shop.run("""
        steps:
          - {id: a, run: "until grep -q c t; do sleep 0.02; done; echo a >> t"}
          - {id: b, needs: [], run: echo b >> t}
          - {id: c, needs: [b], run: echo c >> t}
          - {id: d, run: echo d >> t}
    """)
    assert shop.lines("t") == ["b", "c", "a", "d"]


def test_a_hyphen_in_an_id_gets_a_hint(shop: Shop) -> None:
    said = shop.refused("steps: [{id: my-step, run: echo}]")
    assert "my_step" in said
    assert "subtract" in said


FOREIGN = [
    ("depends_on: [x]", "needs"), ("when: true", "if"), ("retries: 3", "retry"),
    ("foreach: [1]", "for_each"), ("loop: [1]", "for_each"), ("forEach: [1]", "for_each"),
    ("with_items: [1]", "for_each"), ("continue-on-error: true", "continue_on_error"),
    ("timeout-minutes: 3", "timeout"), ("working-directory: x", "cwd"), ("max_retries: 1", "retry"),
    ("environment: {A: b}", "env"), ("requires: [x]", "needs"), ("dependsOn: [x]", "needs"),
    ("on_failure: [x]", "on_error"), ("ignore_errors: true", "continue_on_error"),
    ("allow_failure: true", "continue_on_error"), ("matrix: {a: [1]}", "for_each"),
    ("condition: x", "if"), ("workdir: x", "cwd"), ("failFast: x", ""),
]  # fmt: skip


def test_a_name_that_other_tools_use_gets_a_did_you_mean(shop: Shop) -> None:
    steps = "".join(
        f"  - id: s{n}\n    run: echo\n    {key}\n" for n, (key, _ours) in enumerate(FOREIGN)
    )
    said = shop.refused(f"steps:\n{steps}")
    blocks = said.split("flow.yaml:")[1:]
    assert len(blocks) >= len(FOREIGN)
    for key, ours in FOREIGN:
        block = next(each for each in blocks if f"`{key.partition(':')[0]}`" in each)
        if ours:
            assert "did you mean" in block, block
            assert ours in block.partition("did you mean")[2], block


def test_items_and_steps_of_sub_workflows_are_addressed_everywhere(shop: Shop) -> None:
    shop.write(
        "sub.yaml",
        """
        steps:
          - {id: inner, run: "echo in >> inner; echo inner; test -e good"}
    """,
    )
    ran = shop.run("""
        steps:
          - {id: label, for_each: [a, b, c, d], run: 'echo "${{ item }}" >> items; echo "got ${{ item }}"'}
          - {id: sub, workflow: sub.yaml}
    """)
    assert ran.code == 1
    assert ran.json["error"]["step"] == "sub/inner"
    assert "sub/inner" in ran.json["steps"]
    assert "got d" in shop("logs", ran.id, "label[3]").out
    assert "inner" in shop("logs", ran.id, "sub/inner").out
    assert shop("inspect", ran.id, "--step", "label[3]").code == 0
    assert shop("inspect", ran.id, "--step", "sub/inner").code == 0
    (shop.folder / "good").touch()
    again = shop.resume(ran, "--retry", "sub/inner")
    assert again.code == 0, again.err
    again = shop.resume(ran, "--from", "label[3]")
    assert again.code == 0, again.err
    assert sorted(shop.lines("items")) == ["a", "b", "c", "d", "d"]


def test_steps_run_in_parallel_bounded_by_max_parallel(shop: Shop) -> None:
    def three(run: str) -> str:
        return "steps:\n" + "".join(f"  - {{id: s{n}, needs: [], run: '{run}'}}\n" for n in "abc")

    together = "echo + >> t; until [ $(grep -c + t) = 3 ]; do sleep 0.02; done; echo - >> t"
    ran = shop.run(three(together))
    assert ran.code == 0, ran.err
    (shop.folder / "t").unlink()
    shop.run(three("echo + >> t; sleep 0.15; echo - >> t"), "--max-parallel", "1")
    assert shop.lines("t") == ["+", "-"] * 3


# --- kinds --------------------------------------------------------------------------------------


def test_a_command_runs_in_bash_that_stops_at_the_first_error(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - {id: e, run: "false; echo no", continue_on_error: true}
          - {id: u, run: 'echo "$NOT_SET_ANYWHERE"; echo no', continue_on_error: true}
          - {id: p, run: "false | cat; echo no", continue_on_error: true}
          - {id: bash, run: '[[ a == a ]] && echo "$BASH_VERSION"'}
          - {id: sh, shell: sh, run: 'echo "${BASH_VERSION-none}"'}
          - {id: exit, run: exit 7, continue_on_error: true}
        outputs:
          states: ["${{ steps.e.status }}", "${{ steps.u.status }}", "${{ steps.p.status }}"]
          bash: ${{ steps.bash.output }}
          code: ${{ steps.exit.exit_code }}
    """)
    assert ran.code == 0, ran.err
    assert ran.json["outputs"]["states"] == ["failed"] * 3
    assert ran.json["outputs"]["bash"][0].isdigit()
    assert ran.json["outputs"]["code"] == 7


def test_an_agent_cli_gives_answer_usage_and_session(shop: Shop) -> None:
    shop.claude("Paris")
    ran = shop.run("""
        inputs: {land: {default: France}}
        steps:
          - id: ask
            agent: {cli: claude, prompt: "Capital of ${{ inputs.land }}?"}
        outputs:
          answer: ${{ steps.ask.output }}
          tokens: ${{ steps.ask.usage.input_tokens }}
          usd: ${{ steps.ask.usage.usd }}
          session: ${{ steps.ask.session }}
    """)
    assert ran.code == 0, ran.err
    outputs = ran.json["outputs"]
    assert (outputs["answer"], outputs["tokens"], outputs["usd"]) == ("Paris", 100, 0.25)
    assert outputs["session"] == "s-1"
    assert "Capital of France?" in shop.prompt()
    assert ran.json["usage"]


def test_a_python_step_is_found_called_with_keywords_sync_or_async(shop: Shop) -> None:
    shop.write("flows/pkg/__init__.py", "")
    shop.write(
        "flows/pkg/mod.py",
        """
        import asyncio
        def sync(a, b=2): return {"sum": a + b}
        async def later(a): await asyncio.sleep(0); return [a]
    """,
    )
    shop.write("flows/single.py", "def f(text): return text.upper()\n")
    shop.write(
        "flows/flow.yaml",
        """
        steps:
          - {id: a, python: "pkg.mod:sync", with: {a: 1}}
          - {id: b, python: "pkg.mod:later", with: {a: "${{ steps.a.output.sum }}"}}
          - {id: c, python: "single.py:f", with: {text: "v${{ steps.b.output[0] }}"}}
        outputs: ["${{ steps.a.output }}", "${{ steps.b.output }}", "${{ steps.c.output }}"]
    """,
    )
    ran = shop("run", "flows/flow.yaml")
    assert ran.code == 0, ran.err
    assert ran.json == [{"sum": 3}, [3], "V3"]


def test_a_python_step_runs_here_unless_it_must_be_ended_and_print_goes_to_its_log(
    shop: Shop,
) -> None:
    shop.write(
        "m.py",
        """
        import os, time
        def pid(): print("printed by a step"); return [os.getpid(), os.getppid(), os.getcwd()]
        def env(): return os.environ["MY_VAR"]
        def forever(): time.sleep(60)
    """,
    )
    (shop.folder / "elsewhere").mkdir()
    ran = shop.run("""
        steps:
          - {id: here, python: "m.py:pid"}
          - {id: timed, python: "m.py:pid", timeout: 1m}
          - {id: idle, python: "m.py:pid", idle_timeout: 1m}
          - {id: moved, python: "m.py:pid", cwd: elsewhere}
          - {id: env, python: "m.py:env", env: {MY_VAR: mine}}
          - {id: end, python: "m.py:forever", timeout: 300ms, retry: {max_attempts: 1}, continue_on_error: true}
        outputs: {here: "${{ steps.here.output }}", timed: "${{ steps.timed.output }}", moved: "${{ steps.moved.output }}", env: "${{ steps.env.output }}", end: "${{ steps.end.error.kind }}"}
    """)
    assert ran.code == 0, ran.err
    outputs = ran.json["outputs"]
    assert outputs["timed"][0] != outputs["here"][0]
    assert outputs["moved"][2] == str(shop.folder / "elsewhere")
    assert (outputs["env"], outputs["end"]) == ("mine", "timeout")
    for step in ("here", "timed"):
        assert "printed by a step" in shop("logs", ran.id, step).out


def test_an_http_step_gives_body_status_and_headers(shop: Shop, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/json", method="POST", json={"a": 1}, headers={"X-A": "b"}).respond_with_json(
        {"ok": True}, status=201, headers={"X-Back": "yes"}
    )  # fmt: skip
    httpserver.expect_request("/text").respond_with_data("plain")
    httpserver.expect_request("/body", method="PUT", data="raw").respond_with_data("put")
    httpserver.expect_request("/gone").respond_with_data("gone", status=404)
    url = httpserver.url_for("")
    ran = shop.run(f"""
        steps:
          - {{id: a, http: {{method: POST, url: "{url}json", headers: {{X-A: b}}, json: {{a: 1}}, expect: 201}}}}
          - {{id: b, http: "{url}text"}}
          - {{id: c, http: {{method: PUT, url: "{url}body", body: raw}}}}
          - {{id: d, http: {{url: "{url}gone", expect: [200, 404]}}}}
          - {{id: e, http: {{url: "{url}text", expect: 204}}, continue_on_error: true}}
        outputs:
          a: ["${{{{ steps.a.output.ok }}}}", "${{{{ steps.a.status }}}}", "${{{{ steps.a.headers['x-back'] }}}}"]
          b: ${{{{ steps.b.output }}}}
          c: ${{{{ steps.c.output }}}}
          d: ${{{{ steps.d.status }}}}
    """)
    assert ran.code == 0, ran.err
    assert ran.json["outputs"] == {"a": [True, 201, "yes"], "b": "plain", "c": "put", "d": 404}
    assert ran.json["steps"]["e"]["status"] == "failed"


def test_a_sub_workflow_takes_with_as_inputs_gives_its_outputs_and_is_checkpointed(
    shop: Shop,
) -> None:
    shop.write(
        "parts/sub.yaml",
        """
        inputs: {n: {type: integer}}
        steps:
          - {id: one, run: 'echo x >> one; echo "${{ inputs.n }}"', output: json}
          - {id: two, run: echo x >> two; test -e good}
        outputs: {double: "${{ steps.one.output * 2 }}"}
    """,
    )
    ran = shop.run("""
        steps: [{id: sub, workflow: parts/sub.yaml, with: {n: 21}}]
        outputs: ${{ steps.sub.output.double }}
    """)
    assert ran.code == 1
    (shop.folder / "good").touch()
    done = shop.resume(ran)
    assert (done.code, done.json["outputs"]) == (0, 42)
    assert (len(shop.lines("one")), len(shop.lines("two"))) == (1, 2)


def test_an_approval_waits_for_a_person_holding_no_process(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - {id: ask, approval: {message: "Publish?", options: [publish, discard]}}
          - {id: act, run: 'echo "did ${{ steps.ask.output }}"'}
    """)
    assert (ran.code, ran.json["status"]) == (3, "paused")
    assert ran.json["next"].startswith("agentrun ")
    assert shop.resume(ran, "--answer", "ask=nonsense").code == 2
    done = shop.resume(ran, "--answer", "ask=publish")
    assert (done.code, done.json["outputs"]) == (0, "did publish")


def test_an_approval_that_nobody_answers_in_time_takes_its_default(shop: Shop) -> None:
    ran = shop.run("""
        steps: [{id: ask, approval: {message: "Go?", options: [go, stop], timeout: 20ms, default: stop}}]
    """)
    if ran.code == 3:  # it holds no process while it waits; to start one takes longer than 20 ms
        ran = shop.resume(ran)
    assert (ran.code, ran.json["outputs"]) == (0, "stop")


@pytest.mark.slow
def test_a_wait_is_durable_and_a_resumed_task_waits_only_for_what_is_left(shop: Shop) -> None:
    shop.write("flow.yaml", "steps: [{id: w, wait: 3s}, {id: a, run: date +%s.%N}]")
    process = shop.start("run", "flow.yaml", "--task-id", "t", "--events", "events")
    shop.until(lambda: "wait_started" in "".join(shop.lines("events")), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = shop("resume", "t", "--events", "events")
    assert done.code == 0, done.err
    (waits,), (resumed,), (after,) = map(
        shop.events, ("wait_started", "task_resumed", "step_started")
    )
    assert waits["until"] <= float(done.out)
    assert seconds(after["time"]) < seconds(resumed["time"]) + 3, "anew, it would be more"


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def test_a_wait_until_a_moment(shop: Shop) -> None:
    ran = shop.run("steps: [{id: w, wait: '2020-01-01T00:00:00Z'}, {id: a, run: echo over}]")
    assert (ran.code, ran.json["outputs"]) == (0, "over")


def test_third_parties_add_kinds_by_an_entry_point(shop: Shop) -> None:
    shop.write(
        "plug/shout.py",
        """
        from dataclasses import dataclass
        from agentrun.core.outcome import Success
        from agentrun.steps.kind import StepKind
        @dataclass(frozen=True)
        class Spec:
            text: str
        async def execute(ctx):
            return Success(output=str(ctx.spec["text"]).upper())
        KIND = StepKind(name="shout", spec=Spec, execute=execute, scalar="text")
    """,
    )
    shop.write(
        "plug/shout-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: shout\nVersion: 1\n"
    )
    shop.write("plug/shout-1.dist-info/entry_points.txt", "[agentrun.steps]\nshout = shout:KIND\n")
    shop.env["PYTHONPATH"] += f":{shop.folder / 'plug'}"
    ran = shop.run("steps: [{id: a, run: echo hi}, {id: b, shout: '${{ steps.a.output }}'}]")
    assert (ran.code, ran.json["outputs"]) == (0, "HI")


# --- common keys --------------------------------------------------------------------------------


def test_a_skipped_step_counts_as_done_and_its_output_is_null(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - {id: a, if: "${{ 1 > 2 }}", run: exit 1}
          - {id: b, if: 1 > 2, run: exit 1}
          - {id: c, needs: [a, b], run: echo on}
        outputs: ["${{ steps.a.output }}", "${{ steps.b.status }}", "${{ steps.c.output }}"]
    """)
    assert (ran.code, ran.json["outputs"]) == (0, [None, "skipped", "on"])
    assert ran.json["steps"]["a"]["status"] == "skipped"


def test_a_step_whose_need_failed_is_blocked_unless_its_if_asks_for_it(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - {id: bad, run: exit 9}
          - {id: b, run: echo b >> t}
          - {id: after_b, needs: [b], run: echo after_b >> t}
          - {id: plain_if, needs: [bad], if: 1 < 2, run: echo plain_if >> t}
          - {id: all, if: always(), run: echo all >> t}
          - {id: fail, needs: [bad], if: "failed('bad')", run: 'echo "fail ${{ steps.bad.error.kind }}" >> t'}
          - {id: braces, needs: [bad], if: "${{ failed('bad') and true }}", run: echo braces >> t}
    """)
    states = {key: value["status"] for key, value in ran.json["steps"].items()}
    assert (ran.code, states["b"], states["after_b"]) == (1, "blocked", "blocked")
    assert states["plain_if"] == "blocked"
    assert sorted(shop.lines("t")) == ["all", "braces", "fail unknown"]


def test_failed_does_not_run_when_the_step_succeeded(shop: Shop) -> None:
    ran = shop.run("steps: [{id: a, run: 'true'}, {id: b, if: \"failed('a')\", run: touch no}]")
    assert (ran.code, ran.json["steps"]["b"]["status"]) == (0, "skipped")


def test_items_have_own_attempts_and_checkpoints_and_only_unfinished_ones_run_again(
    shop: Shop,
) -> None:
    ran = shop.run("""
        steps:
          - id: each
            for_each: ["a", "b", "c"]
            as: it
            run: |
              echo "${{ index }}${{ it }}${{ item }} $AGENTRUN_STEP $AGENTRUN_ATTEMPT" >> t
              [ "${{ it }}" != b ] || [ -e good ] || { echo "connection refused" >&2; exit 7; }
              echo "done ${{ it }}"
            retry: {max_attempts: 2, delay: 10ms, on: [any]}
    """)
    assert ran.code != 0
    (shop.folder / "good").touch()
    done = shop.resume(ran)
    assert (done.code, done.json["outputs"]) == (0, ["done a", "done b", "done c"])
    assert sorted(shop.lines("t")) == [
        "0aa each[0] 1", "1bb each[1] 1", "1bb each[1] 2", "1bb each[1] 3", "2cc each[2] 1",
    ]  # fmt: skip


def test_max_parallel_bounds_the_items(shop: Shop) -> None:
    shop.run("""
        steps: [{id: e, for_each: [1, 2, 3], max_parallel: 1, run: echo + >> t; sleep 0.05; echo - >> t}]
    """)
    assert shop.lines("t") == ["+", "-"] * 3


@pytest.mark.parametrize("until", ["output == '3'", "${{ output == '3' }}", "exit_code == 0 and output | int >= 3"])  # fmt: skip
def test_until_repeats_until_the_expression_over_its_own_output_holds(
    shop: Shop, until: str
) -> None:
    ran = shop.run(f"""
        steps:
          - id: u
            run: echo x >> t; wc -l < t | tr -d ' '
            until: "{until}"
            max_rounds: 5
    """)
    assert (ran.code, ran.json["outputs"]) == (0, "3")


def test_until_that_does_not_hold_after_max_rounds_fails(shop: Shop) -> None:
    ran = shop.run("steps: [{id: u, run: echo x >> t, until: 1 > 2, max_rounds: 2}]")
    assert (ran.code, len(shop.lines("t"))) == (1, 2)


@pytest.mark.parametrize(("written", "code"), [
    ("500ms", 0), ("30s", 0), ("10m", 0), ("2h", 0), ("1d", 0), ("5", 0), ("0.5", 0),
    ("10 parsecs", 2), ("-1s", 2), ("no", 2), ("10M", 2),
])  # fmt: skip
def test_durations(shop: Shop, written: str, code: int) -> None:
    shop.write("flow.yaml", f"steps: [{{id: a, timeout: {written}, run: echo}}]")
    assert shop("validate", "flow.yaml").code == code


def test_timeouts_bound_one_attempt_and_silence(shop: Shop) -> None:
    ran = shop.run("""
        defaults: {retry: {max_attempts: 1}, continue_on_error: true}
        steps:
          - {id: t, timeout: 100ms, run: sleep 30}
          - {id: i, needs: [], idle_timeout: 150ms, run: echo hi; sleep 30}
          - {id: busy, needs: [], idle_timeout: 3s, run: "for i in 1 2 3 4 5 6 7; do echo $i; sleep 0.5; done"}
    """)
    assert shop.failure(ran, "t")["kind"] == "timeout"
    assert shop.failure(ran, "i")["kind"] == "timeout"
    assert ran.json["steps"]["busy"]["status"] == "succeeded"


def test_max_elapsed_is_checked_before_sleeping(shop: Shop) -> None:
    ran = shop.run("""
        steps: [{id: a, run: exit 9, retry: {max_attempts: 9, delay: 100s, max_delay: 100s, max_elapsed: 5s, on: [any]}}]
    """)
    assert ran.json["steps"]["a"]["attempts"] == 1  # a command that sleeps would be given up on


@pytest.mark.parametrize(("command", "output", "value"), [
    (r"printf 'a\n\n'", "text", "a\n"),
    (r"printf '  a b \n'", "", "  a b "),
    ("echo '{\"a\": [1, 2.5, null]}'", "json", {"a": [1, 2.5, None]}),
    (r"printf 'a\nb\n\nc\n'", "lines", ["a", "b", "", "c"]),
    ("true", "lines", []),
    ("true", "text", ""),
    ("echo '{\"label\": \"a\", \"score\": 1}'", "{label: {enum: [a, b]}, score: number}", {"label": "a", "score": 1}),
    ("echo '[1]'", "{schema: {type: array, items: {type: integer}}}", [1]),
])  # fmt: skip
def test_forms_of_output(shop: Shop, command: str, output: str, value: object) -> None:
    step = f"  - id: a\n    run: |\n      {command}\n" + (
        f"    output: {output}\n" if output else ""
    )
    ran = shop.run(f"steps:\n{step}outputs: {{v: '${{{{ steps.a.output }}}}'}}\n")
    assert ran.code == 0, ran.err
    assert ran.json["outputs"]["v"] == value


@pytest.mark.parametrize(("answer", "output"), [
    ("not json at all", "json"),
    ('{"label": "c", "score": 1}', "{label: {enum: [a, b]}, score: number}"),
    ('{"label": "a"}', "{label: {enum: [a, b]}, score: number}"),
    ('{"label": "a", "score": "high"}', "{label: {enum: [a, b]}, score: number}"),
    ('"x"', "{schema: {type: array}}"),
])  # fmt: skip
def test_an_answer_that_does_not_fit_is_output_format_and_the_retry_carries_the_error(
    shop: Shop, answer: str, output: str
) -> None:
    good = {"json": "{}", "{schema: {type: array}}": "[]"}.get(output, '{"label": "a", "score": 1}')
    shop.write("bad.txt", answer)
    shop.write("good.txt", good)
    ran = shop.run(f"""
        steps:
          - id: a
            output: {output}
            retry: {{delay: 10ms}}
            run: |
              if [ -z "${{AGENTRUN_LAST_ERROR:-}}" ]; then cat bad.txt; exit 0; fi
              cp "$AGENTRUN_LAST_ERROR" told.json; cat good.txt
    """)
    assert ran.code == 0, ran.err
    assert shop.failure(ran, "a")["kind"] == "output_format"
    told = json.loads((shop.folder / "told.json").read_text())
    assert (told["category"], told["kind"]) == ("recoverable", "output_format")
    assert told["message"]


def test_the_retry_of_an_agent_carries_the_validation_error_into_its_prompt(shop: Shop) -> None:
    shop.claude({"label": "rubbish"}, {"label": "bug"})
    ran = shop.run("""
        steps:
          - id: ask
            agent: {cli: claude, prompt: "Label it."}
            output: {label: {enum: [bug, feature]}}
            retry: {delay: 10ms}
    """)
    assert (ran.code, ran.json["outputs"]) == (0, {"label": "bug"})
    told = shop.prompt(2)
    assert "rubbish" in told
    assert "feature" in told


@pytest.mark.parametrize(("check", "code"), [
    ("test -e made", 0), ("test -e missing", 1),
    ("${{ output == 'x' }}", 0), ("${{ output == 'y' }}", 1),
    ('test "${{ output }}" = x', 0), ('test "${{ output }}" = y', 1),
    ("${{ exit_code == 0 }}", 0),
])  # fmt: skip
def test_checks_are_commands_or_expressions_that_see_the_output(
    shop: Shop, check: str, code: int
) -> None:
    shop.write("flow.yaml", "")
    ran = shop.run(f"steps:\n  - id: a\n    run: touch made; echo x\n    checks: ['{check.replace(chr(39), chr(39) * 2)}']\n")  # fmt: skip
    assert ran.code == code, ran.err
    if code:
        failure = shop.failure(ran, "a")
        assert (failure["category"], failure["kind"]) == ("recoverable", "logic")


def test_not_idempotent_and_interrupted_asks_instead_of_repeating(shop: Shop) -> None:
    shop.write(
        "flow.yaml",
        """
        steps:
          - {id: pay, idempotent: false, run: echo paid >> t; echo $PPID > ppid; test -e good || sleep 60}
          - {id: after, run: echo after}
    """,
    )
    process = shop.start("run", "flow.yaml", "--task-id", "t1")
    shop.until(lambda: shop.lines("ppid"), process)
    process.kill()
    process.wait()
    asked = shop("resume", "t1", "--json")
    assert (asked.code, asked.json["status"]) == (3, "paused")
    assert "agentrun" in asked.json["next"]
    assert shop("resume", "t1").code == 3
    assert len(shop.lines("t")) == 1
    (shop.folder / "good").touch()
    done = shop("resume", "t1", "--retry", "pay")
    assert (done.code, done.out, len(shop.lines("t"))) == (0, "after\n", 2)


@pytest.mark.parametrize(("command", "attempts"), [
    ("echo 'curl: (7) Failed to connect to h port 1: Connection refused' >&2; exit 7", 3),
    ("echo 'HTTP/1.1 429 Too Many Requests' >&2; exit 1", 3),
    ("echo 'ConnectionResetError: [Errno 104] Connection reset by peer' >&2; exit 1", 1),
    ("exit 9", 1),
])  # fmt: skip
def test_not_idempotent_is_retried_only_where_nothing_took_effect(
    shop: Shop, command: str, attempts: int
) -> None:
    ran = shop.run(f"""
        steps:
          - id: a
            idempotent: false
            run: |
              {command}
            retry: {{delay: 10ms, on: [any]}}
    """)
    assert ran.json["steps"]["a"]["attempts"] == attempts


def test_fallbacks_are_tried_in_order_when_the_way_before_is_used_up(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - id: a
            run: echo one >> t; exit 9
            retry: {max_attempts: 2, delay: 10ms}
            fallback:
              - {run: echo two >> t; exit 9}
              - {run: echo three >> t; echo third}
    """)
    assert (ran.code, ran.json["outputs"]) == (0, "third")
    assert shop.lines("t") == ["one", "one", "two", "two", "three"]


def test_continue_on_error_goes_on_with_the_step_failed_and_exits_0(shop: Shop) -> None:
    ran = shop.run("steps: [{id: a, run: exit 9, continue_on_error: true}, {id: b, run: echo b}]")
    assert (ran.code, ran.json["status"], ran.json["outputs"]) == (0, "succeeded", "b")
    assert ran.json["steps"]["a"]["status"] == "failed"


def test_cwd_is_the_callers_folder_recorded_and_used_again_and_files_are_found_from_the_workflow(
    shop: Shop,
) -> None:
    shop.write("flows/lib.py", "def f(): return 'found'\n")
    shop.write("flows/sub.yaml", "steps: [{id: x, run: pwd}]\n")
    shop.write("flows/ask.txt", "Where is {{ nothing }} ${{ inputs.x }}?\n")
    shop.write(
        "flows/flow.yaml",
        """
        inputs: {x: {default: it}}
        steps:
          - {id: a, python: "lib.py:f"}
          - {id: b, workflow: sub.yaml}
          - {id: ask, agent: {cli: claude, prompt_file: ask.txt}}
          - {id: c, run: "pwd; test -e good"}
        outputs: ["${{ steps.a.output }}", "${{ steps.b.output }}", "${{ steps.c.output }}"]
    """,
    )
    shop.claude("ok")
    here, there = shop.folder / "here", shop.folder / "there"
    here.mkdir()
    there.mkdir()
    where = str(shop.folder / "checkpoints")
    ran = shop("run", "../flows/flow.yaml", "--json", "--checkpoints", where, cwd=here)
    assert ran.code == 1, ran.err
    assert "${{" not in shop.prompt()
    (here / "good").touch()
    done = shop("resume", ran.id, "--checkpoints", where, cwd=there)
    assert done.json == ["found", str(here), str(here)]


def test_stdin_takes_large_values(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - {id: big, run: head -c 300000 /dev/zero | tr '\\0' x}
          - {id: fed, run: wc -c, stdin: "${{ steps.big.output }}", output: json}
          - {id: data, run: cat, stdin: {a: [1]}, output: json}
          - {id: arg, run: 'echo "${{ steps.big.output }}" | wc -c', retry: {max_attempts: 1}}
    """)
    assert ran.code == 1
    assert ran.json["steps"]["fed"]["status"] == "succeeded"
    failure = shop.failure(ran, "arg")
    assert failure["kind"] == "input_format"
    assert "128 KiB" in failure["message"] + failure["hint"]
    assert "stdin" in failure["message"] + failure["hint"]


# --- expressions --------------------------------------------------------------------------------


def test_the_names_of_an_attempt(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - id: again
            run: |
              echo "${{ attempt.number }} ${{ attempt.key }} ${{ last_error.kind if last_error else 'none' }}" >> t
              test $AGENTRUN_ATTEMPT = 2
            retry: {delay: 10ms}
    """)
    assert ran.code == 0, ran.err
    first, second = (line.split() for line in shop.lines("t"))
    assert (first[0], first[2], second[0], second[2]) == ("1", "none", "2", "unknown")
    assert first[1] == second[1]


def test_the_other_names_and_a_single_expression_keeps_its_type(shop: Shop) -> None:
    shop.write("m.py", "def f(**kw): return kw\n")
    ran = shop.run("""
        inputs: {n: {type: integer, default: 5}}
        env: {LETTER: "q${{ inputs.n }}"}
        steps:
          - {id: a, run: 'echo "[1]"', output: json, if: env.LETTER == 'q5'}
          - {id: bad, run: exit 4, continue_on_error: true}
          - {id: each, for_each: [x], as: thing, run: 'echo "${{ thing }} ${{ item }} ${{ index }}"'}
          - {id: py, python: "m.py:f", with: {task: "${{ task.id }}", letter: "${{ env.LETTER }}", n: "${{ inputs.n }}", text: "n=${{ inputs.n }}"}}
        outputs:
          a: ["${{ steps.a.output }}", "${{ steps.a.status }}", "${{ steps.a.exit_code }}", "${{ steps.a.attempts }}", "${{ steps.a.error }}", "${{ steps.a.usage }}"]
          bad: ["${{ steps.bad.status }}", "${{ steps.bad.exit_code }}", "${{ steps.bad.error.category }}", "${{ steps.bad.error.message }}"]
          each: ${{ steps.each.output[0] }}
          py: ${{ steps.py.output }}
          task: ${{ task.id }}
    """)
    assert ran.code == 0, ran.err
    outputs = ran.json["outputs"]
    assert outputs["a"] == [[1], "succeeded", 0, 1, None, None]
    assert outputs["bad"][:3] == ["failed", 4, "fatal"]
    assert outputs["bad"][3]
    assert outputs["each"] == "x x 0"
    assert outputs["task"] == ran.id
    assert outputs["py"] == {"task": ran.id, "letter": "q5", "n": 5, "text": "n=5"}


def test_env_of_a_step_may_build_on_the_env_around_it(shop: Shop) -> None:
    ran = shop.run("""
        env: {A: file}
        steps: [{id: a, env: {A: "${{ env.A }}+step", P: "${{ env.HOME }}"}, run: 'echo "$A ${{ env.A }} $P"'}]
    """)
    assert ran.json["outputs"] == f"file+step file+step {shop.folder}"


def test_undefined_is_an_error(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - {id: a, run: "echo '{\\"x\\": 1}'", output: json}
          - {id: b, run: 'echo "${{ steps.a.output.nope }}"', retry: {max_attempts: 1}}
    """)
    assert (ran.code, ran.json["error"]["step"]) == (1, "b")
    assert "nope" in ran.json["error"]["message"]


@pytest.mark.parametrize("text", [
    "{% if true %}x{% endif %}", "${{ 1 }}{% for x in [1] %}{% endfor %}", "{{ inputs.x }}",
])  # fmt: skip
def test_statements_live_only_in_prompt_files(shop: Shop, text: str) -> None:
    shop.write("ask.md", "{% for n in inputs.names %}<${{ n }}>{% endfor %}\n")
    shop.claude("ok")
    shop.write("m.py", "def f(t): return t\n")
    ran = shop.run(f"""
        inputs: {{names: {{type: array, default: [a, b]}}}}
        steps:
          - {{id: ask, agent: {{cli: claude, prompt_file: ask.md}}}}
          - {{id: f, python: "m.py:f", with: {{t: "{text}"}}}}
    """)
    assert ran.code == 0, ran.err
    assert "<a><b>" in shop.prompt()
    assert ran.json["outputs"] == text.replace("${{ 1 }}", "1")


@pytest.mark.parametrize(("name", "kind"), [
    ("nope.md", "not_found"), ("bytes.md", "input_format"), (".", "permission"),
])  # fmt: skip
def test_a_prompt_file_that_can_not_be_read_fails_its_step(
    shop: Shop, name: str, kind: str
) -> None:
    (shop.folder / "bytes.md").write_bytes(b"\xff\xfe")
    shop.claude("ok")
    ran = shop.run(f"steps: [{{id: a, agent: {{cli: claude, prompt_file: {name}}}}}]")
    assert (ran.code, ran.json["error"]["kind"]) == (1, kind)


# --- values and environment ---------------------------------------------------------------------


def test_a_value_reaches_the_shell_as_data_whatever_it_holds(shop: Shop) -> None:
    ran = shop.run(
        """
        inputs: {v: {type: string}}
        steps:
          - {id: quoted, run: 'printf %s "${{ inputs.v }}"'}
          - {id: bare, run: 'f() { echo $#; printf %s "$1"; }; f ${{ inputs.v }}'}
          - {id: inside, run: 'printf %s "<${{ inputs.v }}>"'}
          - id: heredoc
            run: |
              cat <<EOF
              ${{ inputs.v }}
              EOF
        outputs: ["${{ steps.quoted.output }}", "${{ steps.bare.output }}", "${{ steps.inside.output }}", "${{ steps.heredoc.output }}"]
    """,
        "-i",
        f"v={HOSTILE}",
    )
    assert ran.code == 0, ran.err
    assert ran.json["outputs"] == [HOSTILE, f"1\n{HOSTILE}", f"<{HOSTILE}>", HOSTILE]
    assert not (shop.folder / "pwned").exists()


def test_single_quotes_are_refused_by_validate(shop: Shop) -> None:
    said = shop.refused("""
        inputs: {v: {type: string}}
        steps:
          - id: a
            run: echo '${{ inputs.v }}'
    """)
    assert "single quotes" in said


def test_the_environment_of_a_run(shop: Shop) -> None:
    text = """
        steps:
          - id: it
            run: |
              env | grep ^AGENTRUN_ | sort >> seen; echo --- >> seen
              echo "$AGENTRUN_IDEMPOTENCY_KEY" >> keys
              echo x >> "$AGENTRUN_STATE_DIR/memory"; wc -l < "$AGENTRUN_STATE_DIR/memory" >> memory
              test -e good
            retry: {max_attempts: 2, delay: 10ms}
    """
    ran = shop.run(text)
    assert ran.code == 1
    first = dict(line.split("=", 1) for line in shop.lines("seen") if "=" in line and line)
    assert first["AGENTRUN_TASK_ID"] == ran.id
    assert first["AGENTRUN_STEP"] == "it"
    assert first["AGENTRUN_ATTEMPT"] == "2"
    assert Path(first["AGENTRUN_STATE_DIR"]).is_dir()
    assert json.loads(Path(first["AGENTRUN_LAST_ERROR"]).read_text())["kind"] == "unknown"
    (shop.folder / "good").touch()
    assert shop.resume(ran).code == 0
    assert [line.strip() for line in shop.lines("memory")] == ["1", "2", "3"]
    assert len(set(shop.lines("keys"))) == 1
    assert shop.resume(ran, "--from", "it").code == 0
    assert len(set(shop.lines("keys"))) == 2
    assert shop("fork", ran.id, "--at", "1", "--json").code in {0, 2}


def test_the_idempotency_key_is_new_after_a_fork_and_each_item_and_round_has_its_own(
    shop: Shop,
) -> None:
    ran = shop.run("""
        steps:
          - {id: each, for_each: [1, 2], run: echo $AGENTRUN_IDEMPOTENCY_KEY >> keys}
          - {id: u, run: echo $AGENTRUN_IDEMPOTENCY_KEY >> keys; wc -l < keys, until: "output | int == 4"}
          - {id: end, run: "test -e good"}
    """)
    assert ran.code == 1
    assert (len(shop.lines("keys")), len(set(shop.lines("keys")))) == (4, 4)


def test_an_agent_process_has_the_same_environment(shop: Shop) -> None:
    shop.claude("ok")
    ran = shop.run("steps: [{id: ask, agent: {cli: claude, prompt: hi}}]")
    assert ran.code == 0, ran.err
    seen = dict(line.split("=", 1) for line in shop.lines("bin/env.1") if "=" in line)
    assert seen["AGENTRUN_TASK_ID"] == ran.id
    assert seen["AGENTRUN_STEP"] == "ask"
    assert seen["AGENTRUN_ATTEMPT"] == "1"
    assert seen["AGENTRUN_STATE_DIR"]
    assert seen["AGENTRUN_IDEMPOTENCY_KEY"]
