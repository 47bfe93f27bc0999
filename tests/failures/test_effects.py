"""When a failure proves that nothing happened outside."""

from typing import Any

import pytest

from agentrun.failures.classify import classify
from agentrun.failures.effects import nothing_took_effect
from agentrun.failures.evidence import from_jsonl


def proves_it(entry: dict[str, Any]) -> bool:
    evidence = from_jsonl(entry)
    return nothing_took_effect(evidence, classify(evidence))


@pytest.mark.parametrize(
    "entry",
    [
        {"exit_code": 7, "text": "curl: (7) Failed to connect to x port 9: Connection refused"},
        {"exit_code": 6, "text": "curl: (6) Could not resolve host: nope.invalid"},
        {"exception": "httpx.ConnectError", "text": "[Errno -2] Name or service not known"},
        {"channel": "http", "status": 429, "text": "Too Many Requests"},
        {"exit_code": 127, "text": "bash: line 1: gh: command not found"},
        {"exit_code": 127, "text": ""},
        {"exit_code": 126, "text": "bash: ./deploy.sh: Permission denied"},
    ],
)
def test_it_is_proven_where_the_call_never_left(entry: dict[str, Any]) -> None:
    assert proves_it(entry)


@pytest.mark.parametrize(
    "entry",
    [
        {"exit_code": 56, "text": "curl: (56) Recv failure: Connection reset by peer"},
        {"exit_code": 28, "text": "curl: (28) Operation timed out"},
        {"channel": "http", "status": 503, "text": ""},
        {"channel": "http", "status": 500, "text": ""},
        {"channel": "http", "status": 403, "text": "", "headers": {"retry-after": "9"}},
        {"exit_code": 1, "text": "Connection reset by peer\nthen: Connection refused"},
        {"exit_code": 127, "text": "uploaded 3 files\nbash: line 2: notify: command not found"},
        {"exit_code": 1, "text": "ModuleNotFoundError: No module named 'yaml'"},
        {"exit_code": 1, "text": "Something went wrong"},
    ],
)
def test_it_is_not_proven_where_something_may_have_been_done(entry: dict[str, Any]) -> None:
    assert not proves_it(entry)
