"""Every mistake of the table is found at its line, said in plain words, and cured as it says."""

import pytest

from agentrun.workflow.problems import render_problems
from tests.workflow.loading import errors, load
from tests.workflow.mistakes import MISTAKES, Mistake

each_mistake = pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)


@each_mistake
def test_a_mistake_is_named_at_its_line_in_plain_words(mistake: Mistake) -> None:
    found = errors(mistake.bad)
    named = [each for each in found if mistake.message in each.message]
    assert named, render_problems(found)
    assert named[0].line == mistake.line
    assert mistake.hint in named[0].hint
    assert named[0].source_line == mistake.bad.split("\n")[mistake.line - 1]


@each_mistake
def test_a_mistake_causes_no_other_complaints(mistake: Mistake) -> None:
    found = errors(mistake.bad)
    # Two names for one mistake are fine where one says what is wrong and one what is missing.
    assert len(found) <= 2, render_problems(found)


@each_mistake
def test_the_cure_works(mistake: Mistake) -> None:
    load(mistake.good)


def test_at_least_fifty_mistakes_are_known() -> None:
    assert len(MISTAKES) >= 50
