"""Loads workflow texts for tests."""

import textwrap
from pathlib import Path

from agentrun.core.model import Workflow
from agentrun.workflow.load import check_text, load_text
from agentrun.workflow.problems import Problem


def load(text: str, path: str = "flow.yaml") -> Workflow:
    return load_text(textwrap.dedent(text), Path(path))


def problems(text: str, path: str = "flow.yaml") -> list[Problem]:
    return check_text(textwrap.dedent(text), Path(path))[1]


def errors(text: str, path: str = "flow.yaml") -> list[Problem]:
    return [each for each in problems(text, path) if each.severity == "error"]


def warnings(text: str) -> list[Problem]:
    return [each for each in problems(text) if each.severity == "warning"]
