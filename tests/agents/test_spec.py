"""What may be written under `agent`."""

import re
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import pytest
from pydantic import TypeAdapter, ValidationError

from agentrun.steps.agent import AgentSpec, GenericCli, McpServer, UsagePaths
from agentrun.steps.agents.verdict import AgentConfigError
from agentrun.steps.agents.written import spec_of

CHECKED = TypeAdapter(AgentSpec)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ({"prompt": "x"}, "needs `cli`"),
        ({"cli": "claude"}, "exactly one of `prompt` and `prompt_file`"),
        ({"cli": "claude", "prompt": "x", "temperature": 1.0}, "`temperature` means nothing"),
        ({"model": "a:b", "prompt": "x", "args": ["-x"]}, "`args` means nothing for an API model"),
        ({"cli": "codex", "prompt": "x", "max_turns": 3}, "nothing for `cli: codex`"),
        ({"cli": "claude", "prompt": "x", "on_retry": "reset"}, "needs `workspace: worktree`"),
        ({"cli": "claude", "prompt": "x", "mcp": {"s": {}}}, "exactly one of `command` and `url`"),
        (
            {
                "cli": "codex",
                "prompt": "x",
                "mcp": {"s": {"command": "s", "env": {"A; rm -r .; B": "x"}}},
            },
            "not the name of an environment variable",
        ),
        ({"cli": "cloude", "prompt": "x"}, "claude"),
    ],
)
def test_refused_before_anything_runs(written: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        CHECKED.validate_python(written)
    with pytest.raises(AgentConfigError):
        spec_of(written)


def test_a_rendered_prompt_file_has_become_the_prompt() -> None:
    written = {"cli": "claude", "prompt": "rendered", "prompt_file": "p.md"}
    with pytest.raises(ValidationError, match="exactly one of"):
        CHECKED.validate_python(written)
    assert spec_of(written).prompt == "rendered"


@pytest.mark.parametrize(
    "written",
    [
        {"cli": "claude", "prompt": "x", "model": "opus", "max_turns": 3},
        {"model": "openai:gpt-5.1", "prompt_file": "p.md", "temperature": 0.5, "tools": ["a:b"]},
        {"model": "openai:gpt-5.1", "prompt": "x", "session": "plan"},
        {"cli": {"command": "x", "format": "text"}, "prompt": "x"},
        {"cli": "codex", "prompt": "x", "workspace": "worktree", "on_retry": "reset"},
    ],
)
def test_taken(written: dict[str, Any]) -> None:
    assert spec_of(written) == CHECKED.validate_python(written)


@pytest.mark.parametrize("part", [AgentSpec, GenericCli, McpServer, UsagePaths])
def test_every_key_is_explained_and_on_the_page(part: type) -> None:
    page = (Path(__file__).parents[2] / "docs" / "agents.md").read_text("utf-8")
    for name, hint in get_type_hints(part, include_extras=True).items():
        if name != "__pydantic_config__":
            assert get_origin(hint) is Annotated
            assert re.search(rf"\b{name}\b", page)
