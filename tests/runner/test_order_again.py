"""The order of steps when some of them are kept: resumed, and with another definition."""

from collections.abc import Callable

from tests.runner.conftest import Desk

Count = Callable[[str], int]


def test_what_depends_on_a_step_runs_again_wherever_it_stands_in_the_file(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - {id: last, run: 'echo "last ${{ steps.middle.output }}"', needs: [middle]}
          - {id: middle, run: 'echo "middle ${{ steps.first.output }}"', needs: [first]}
          - {id: first, run: echo x >> runs; wc -l < runs | tr -d ' ', needs: []}
        outputs: ${{ steps.last.output }}
    """)
    assert done.outputs == "last middle 1"
    assert desk.resume(done, from_step="first").outputs == "last middle 2"


HELD_UP = """
steps:
  - {id: kept, run: echo x >> kept}
  - {id: last, run: exit 1}
"""
NEW_ABOVE = """
steps:
  - {id: new, run: test -e good && echo new}
  - {id: kept, run: echo x >> kept}
  - {id: last, run: 'echo "after ${{ steps.new.output }}"'}
"""


def test_a_new_step_is_waited_for_through_one_that_is_reused(desk: Desk, count: Count) -> None:
    failed = desk.run(HELD_UP)
    (desk.folder / "good").touch()
    done = desk.resume(failed, workflow=desk.write("edited.yaml", NEW_ABOVE))
    assert (done.outputs, count("kept")) == ("after new", 1)


def test_a_new_step_that_fails_blocks_what_is_behind_a_reused_one(desk: Desk, count: Count) -> None:
    failed = desk.run(HELD_UP)
    blocked = desk.resume(failed, workflow=desk.write("edited.yaml", NEW_ABOVE))
    assert blocked.exit_code == 1
    assert blocked.state.step("last").status == "blocked"
    (desk.folder / "good").touch()
    assert (desk.resume(blocked).outputs, count("kept")) == ("after new", 1)


def test_a_step_tried_again_is_waited_for_through_one_that_ran_all_the_same(desk: Desk) -> None:
    failed = desk.run("""
        steps:
          - {id: build, run: test -e good}
          - {id: tell, run: echo told, if: always()}
          - {id: last, run: 'test -e good && echo "build ${{ steps.build.status }}"'}
    """)
    assert failed.state.step("last").status == "failed"
    (desk.folder / "good").touch()
    assert desk.resume(failed).outputs == "build succeeded"


def test_what_fails_again_does_not_block_behind_a_step_that_asks_for_failures(desk: Desk) -> None:
    failed = desk.run("""
        steps:
          - {id: build, run: exit 1}
          - {id: tell, run: echo told, if: always()}
          - {id: last, run: test -e good}
    """)
    (desk.folder / "good").touch()
    again = desk.resume(failed)
    assert again.exit_code == 1
    assert again.state.step("last").status == "succeeded"
