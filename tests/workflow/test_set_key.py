"""One key is written into a workflow's text, and nothing else changes."""

import difflib

import pytest

from agentrun.workflow.set_key import CannotWrite, set_step_key, set_top_key

BLOCK = """\
# the head
name: w   # a name
steps:
  - id: a          # first
    run: |
      echo one
        two

    # about the limit
    timeout: 5s    # short
  - id: b
    run: echo two
    retry:
      max_attempts: 2
  # a flow
  - {id: c, run: "echo {x}, y", timeout: 3s}  # end
  - {run: echo d, id: d}
  - run: |
      echo last
    id: e"""


def changed(before: str, after: str) -> list[str]:
    diff = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in diff if line[:1] in "+-"]


@pytest.mark.parametrize(
    ("line", "key", "value", "expected"),
    [
        (4, "timeout", "9s", ["-     timeout: 5s    # short", "+     timeout: 9s    # short"]),
        (4, "retry", "{max_attempts: 5}", ["+     retry: {max_attempts: 5}"]),
        (11, "timeout", "9s", ["+     timeout: 9s"]),
        (
            16,
            "timeout",
            "9s",
            [
                '-   - {id: c, run: "echo {x}, y", timeout: 3s}  # end',
                '+   - {id: c, run: "echo {x}, y", timeout: 9s}  # end',
            ],
        ),
        (
            16,
            "retry",
            "{max_attempts: 5}",
            [
                '-   - {id: c, run: "echo {x}, y", timeout: 3s}  # end',
                '+   - {id: c, retry: {max_attempts: 5}, run: "echo {x}, y", timeout: 3s}  # end',
            ],
        ),
        (
            17,
            "timeout",
            "9s",
            ["-   - {run: echo d, id: d}", "+   - {timeout: 9s, run: echo d, id: d}"],
        ),
        (18, "timeout", "9s", ["+     timeout: 9s"]),
    ],
)
def test_only_that_line_changes(line: int, key: str, value: str, expected: list[str]) -> None:
    assert changed(BLOCK, set_step_key(BLOCK, line, key, value)) == expected


@pytest.mark.parametrize(
    ("line", "key"), [(11, "retry"), (5, "timeout"), (99, "timeout"), (1, "x")]
)
def test_what_does_not_fit_is_left_to_a_person(line: int, key: str) -> None:
    with pytest.raises(CannotWrite):
        set_step_key(BLOCK, line, key, "9s")


def test_a_key_of_the_workflow_stands_above_the_steps() -> None:
    text = set_top_key(BLOCK, "limits", "{api: {concurrency: 2}}")
    assert changed(BLOCK, text) == ["+ limits: {api: {concurrency: 2}}"]
    with pytest.raises(CannotWrite):
        set_top_key(text, "limits", "{}")
    with pytest.raises(CannotWrite):
        set_top_key("name: x\n", "limits", "{}")
