"""What expressions are worth, what they refer to, and how they fail."""

import subprocess
import sys
import timeit
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentrun.workflow.expressions import (
    ExpressionError,
    Reference,
    evaluate,
    references,
    render,
    render_prompt,
    truthy,
)

SCOPE: dict[str, Any] = {
    "inputs": {
        "repo": "octo/hello",
        "limit": 3,
        "ratio": 1.0,
        "dry": True,
        "tags": ["a", "b"],
        "text": "1e3",
    },
    "steps": {
        "list": {
            "output": {"items": [1, 2, 3], "keys": "K", "none": None},
            "status": "succeeded",
            "exit_code": 0,
        },
        "skipped": {"output": None},
    },
    "item": {"title": "it's", "n": 2},
    "index": 1,
    "failed": lambda step: step == "list",
    "always": lambda: True,
}

VALUES = [
    ("inputs.limit", 3),
    ("inputs.repo", "octo/hello"),
    ("inputs.dry", True),
    ("inputs.text", "1e3"),
    ("inputs.tags", ["a", "b"]),
    ("inputs['tags'][1]", "b"),
    ("steps.list.output.items", [1, 2, 3]),
    ("steps.list.output.keys", "K"),
    ("steps.list.output.none", None),
    ("steps.list.output.items[0] + 1", 2),
    ("steps.list.output.items | sum", 6),
    ("steps.list.output.items | map('string') | join(', ')", "1, 2, 3"),
    ("steps.list.output['keys'] ~ '-' ~ true ~ none", "K-true"),
    ("inputs.limit > 2 and inputs.dry", True),
    ("'x' if inputs.limit == 3 else 'y'", "x"),
    ("inputs.nothing | default('d')", "d"),
    ("steps.list.output.none.deep | default('d')", "d"),
    ("inputs.nothing is defined", False),
    ("{'a': {'b': 1}}", {"a": {"b": 1}}),
    ("'}}'", "}}"),
    ("'${{'", "${{"),
    ("[1, 2] | map('abs')", [1, 2]),
    ("range(3)", [0, 1, 2]),
    ("inputs.repo.split('/')", ["octo", "hello"]),
    ("inputs.repo | basename", "hello"),
    ("inputs.repo | upper", "OCTO/HELLO"),
    ("inputs.tags | tojson", '["a", "b"]'),
    ("'{\"a\": 1}' | fromjson", {"a": 1}),
    ("'a\nb\n' | lines", ["a", "b"]),
    ("item.title | quote", "'it'\"'\"'s'"),
    ("'a' | sha256", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ("len(inputs.tags)", 2),
    ("failed('list')", True),
    ("always()", True),
    ("none", None),
    ("true", True),
    ("3", 3),
]


@pytest.mark.parametrize(("expression", "value"), VALUES, ids=[e for e, _ in VALUES])
def test_an_expression_has_a_typed_value_with_and_without_braces(
    expression: str, value: Any
) -> None:
    for written in (expression, f"${{{{ {expression} }}}}", f"${{{{{expression}}}}}\n"):
        if "}}" not in expression and "${{" not in expression:
            found = evaluate(written, SCOPE)
            assert found == value
            assert type(found) is type(value)
    assert render(f"${{{{ {expression} }}}}", SCOPE) == value


def test_text_around_an_expression_makes_it_text() -> None:
    template = "n=${{ inputs.limit }} d=${{ inputs.dry }} x=${{ steps.skipped.output }} l=${{ inputs.tags }}"
    assert render(template, SCOPE) == 'n=3 d=true x= l=["a", "b"]'


def test_rendering_goes_to_any_depth_and_leaves_the_rest_alone() -> None:
    value = {
        "a": ["${{ inputs.limit }}", {"b": "${{ item.n }}!"}],
        "c": 3,
        "d": None,
        "e": "{{ x }}",
    }
    assert render(value, SCOPE) == {"a": [3, {"b": "2!"}], "c": 3, "d": None, "e": "{{ x }}"}


def test_what_an_expression_yields_is_not_rendered_again() -> None:
    assert render("${{ x }} ${{ x }}", {"x": "${{ y }}", "y": "bad"}) == "${{ y }} ${{ y }}"
    assert render("${{ x }}", {"x": "{% for %}"}) == "{% for %}"


def test_a_large_value_is_handed_on_without_a_copy() -> None:
    large = [{"n": n} for n in range(1000)]
    scope = {"steps": {"a": {"output": large}}}
    assert render("${{ steps.a.output }}", scope) is large
    assert render("${{ steps.a.output or [] }}", scope) is large


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("inptus.limit", "did you mean `inputs`?"),
        ("inputs.limmit", "did you mean `limit`?"),
        ("inputs.limmit + 1", "did you mean `limit`?"),
        ("steps.list.output.item", "did you mean `items`?"),
        ("steps.list.outputs", "did you mean `output`?"),
        ("steps.skipped.output.x", "`steps.skipped.output` is null"),
        ("steps.skipped.output.x | upper", "null has no `x`"),
        ("inputs.repo.owner", "is text, so it has no `owner`"),
        ("inputs.tags[7]", "it is a list of 2"),
        ("inputs.limit.x", "is a number, so it has no `x`"),
        ("steps.list.output.items.foo", "it is a list of 3"),
        ("null", "did you mean `none`?"),
        ("1 / 0", "division"),
        ("'a' + 1", "failed"),
        ("inputs.tags | first | foo", "there is no filter `foo`"),
        ("inputs is foo", "there is no test `foo`"),
        ("a &&  b", "write `and` instead of `&&`"),
        ("a ? b : c", "write `a if condition else b`"),
        ("!a", "write `not` instead of `!`"),
        ("a = 1", "compare with `==`"),
        ("inputs.dry.x.y", "has no"),
        ("inputs.repo.upper", "is text, so it has no `upper`"),
        ("(inputs.repo).upper", "is a function, not a value"),
        ("'x' | fromjson", "failed"),
    ],
)
def test_a_failure_names_the_expression_and_what_is_missing(expression: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(expression, SCOPE)
    assert message in str(caught.value)
    assert caught.value.expression in expression


@pytest.mark.parametrize(
    "expression",
    [
        "'x' * 10**9", "[0] * 10**9", "10**(10**10)", "(10**1000) * (10**1000)", "2**99999999", "range(10**9)",
        "'x'.ljust(10**9)", "'x'.center(10**9)", "'x'.zfill(10**9)", "'%1000000000d' % 1", "'{:1000000000d}'.format(1)",
        "'x' | center(10**9)", "lipsum(n=10**8)", "('x' * 10**7).replace('x', 'y' * 10**3)",
        "(['x' * 10**7] * 1000) | join", "'' | indent(10**9)", "[1] | batch(10**9, 1) | list", "[1] | slice(10**9) | list",
        "('x' * 4 * 10**7) ~ ('x' * 4 * 10**7)", "'x'.join(['x' * 10**7] * 1000)", "'x' | wordwrap(0-1)",
        "'a'.expandtabs(10**9)", "'a'.translate({97: 'b' * 10**7})",
        "''.__class__.__mro__", "''['__class__']", "inputs.__class__", "inputs.tags.append(3)", "inputs.update({})",
        "inputs.pop('repo')", "cycler.__init__", "self", "joiner()", "namespace(a=1)", "dict(a=1)",
        "failed.__globals__", "(failed | attr('__globals__'))", "''.format_map(inputs)", "inputs.tags | random",
    ],
)  # fmt: skip
def test_an_expression_can_neither_grow_nor_escape(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, SCOPE)
    assert SCOPE["inputs"]["tags"] == ["a", "b"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [("true", True), ("${{ inputs.limit > 5 }}", False), ("inputs.tags", True), ("steps.skipped.output", False),
     ("'false'", False), ("''", False), ("'no'", False), ("'x'", True), ("0", False)],
)  # fmt: skip
def test_a_condition_holds_or_not(condition: str, holds: bool) -> None:
    assert truthy(condition, SCOPE) is holds


def test_a_condition_mixed_with_text_is_refused() -> None:
    with pytest.raises(ExpressionError, match="put the whole condition inside"):
        truthy("${{ inputs.dry }} and true", SCOPE)


def test_references_are_found_at_any_depth() -> None:
    value = {
        "a": "${{ steps.x.output.b[0] }}",
        "b": ["${{ failed('y') or inputs.z | default(item) }}", "plain"],
    }
    assert references(value) == {
        Reference("steps", ("x", "output", "b", 0)),
        Reference("failed", ("y",), call=True),
        Reference("inputs", ("z",)),
        Reference("item"),
    }


def test_a_dynamic_reference_is_marked() -> None:
    assert references("${{ steps[inputs.x].output }}") == {
        Reference("steps", (), dynamic=True),
        Reference("inputs", ("x",)),
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_any_json_value_keeps_its_type_and_is_rendered_once(value: Any) -> None:
    scope = {"v": value}
    assert render("${{ v }}", scope) is value
    assert evaluate("(v)", scope) == value


@given(st.text())
def test_any_text_is_either_rendered_or_refused(text: str) -> None:
    for each in (text, f"${{{{{text}}}}}", f"${{{{ inputs.{text} }}}}"):
        with suppress(ExpressionError):
            render(each, SCOPE)


def test_plain_names_do_not_load_jinja() -> None:
    code = (
        "import sys; from agentrun.workflow.expressions import render, references\n"
        "render({'a': 'x ${{ inputs.b[0] }}'}, {'inputs': {'b': [1]}}); references('${{ a.b }}')\n"
        "assert 'jinja2' not in sys.modules and 'pydantic' not in sys.modules and 'yaml' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rendering_a_step_is_cheap() -> None:
    value = {
        "prompt": "Label ${{ item.title }} of ${{ inputs.repo }}",
        "n": "${{ inputs.limit }}",
        "plain": "x",
    }
    best = min(timeit.repeat(lambda: render(value, SCOPE), number=1000, repeat=5)) / 1000
    assert best < 100e-6  # 6 µs where it was measured; the bound only catches a lost cache


PROMPT = """\
Repo ${{ inputs.repo }}, code {{ kept }} and {#kept#} and ${kept}
{%# a comment #%}
{% for tag in inputs.tags %}
- ${{ tag }}
{% endfor %}
{% if inputs.dry %}
dry
{% endif %}
"""


def test_a_prompt_file_may_hold_statements() -> None:
    assert render_prompt(PROMPT, SCOPE) == (
        "Repo octo/hello, code {{ kept }} and {#kept#} and ${kept}\n- a\n- b\ndry\n"
    )


def test_a_prompt_includes_files_below_its_folder_only(tmp_path: Path) -> None:
    base = tmp_path / "flow"
    base.mkdir()
    (base / "part.md").write_text("part of ${{ inputs.repo }}")
    (tmp_path / "secret.md").write_text("secret")
    (base / "link.md").symlink_to(tmp_path / "secret.md")
    assert render_prompt("{% include 'part.md' %}", SCOPE, base) == "part of octo/hello"
    for name in ("../secret.md", "link.md", str(tmp_path / "secret.md"), "missing.md", "."):
        with pytest.raises(ExpressionError):
            render_prompt(f"{{% include '{name}' %}}", SCOPE, base)


@pytest.mark.parametrize(
    "text", ["${{ nothing }}", "{% for %}", "{% include x %}", "${{ 'x' * 10**9 }}", "{% nope %}"]
)
def test_a_prompt_that_can_not_be_rendered_says_so(text: str) -> None:
    with pytest.raises(ExpressionError, match="prompt"):
        render_prompt(text, SCOPE)


def test_a_prompt_can_not_grow_without_bound() -> None:
    with pytest.raises(ExpressionError):
        render_prompt("{% for i in range(100000) %}${{ 'x' * 100000 }}{% endfor %}", SCOPE)
