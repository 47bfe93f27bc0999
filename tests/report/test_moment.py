import pytest

from agentrun.errors import UsageError
from agentrun.report.moment import is_moment, moment
from tests.report.story import failed_story

RECORDS = failed_story().records


def test_a_number_is_an_event() -> None:
    assert moment(RECORDS, "3") == 3


def test_a_step_is_when_it_last_ended() -> None:
    assert moment(RECORDS, "issues") == 3
    assert moment(RECORDS, "label") == 12
    assert moment(RECORDS, "report") == 13


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "there is no event 0: the task has events 1 to 14"),
        ("99", "there is no event 99"),
        ("lable", "nothing has happened to a step 'lable'"),
    ],
)
def test_what_is_no_moment(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        moment(RECORDS, text)
    assert not is_moment(RECORDS, text)


def test_a_typo_gets_the_near_names() -> None:
    with pytest.raises(UsageError) as caught:
        moment(RECORDS, "lable")
    assert caught.value.hint == "did you mean label?"
    with pytest.raises(UsageError) as caught:
        moment(RECORDS, "zzz")
    assert caught.value.hint == "its steps: issues, label, report"
