"""Every example in docs/ is executed, every link leads somewhere.

A page is a folder: its blocks run in their order, in one empty place, with `agentrun` on the PATH.

- `yaml` with `steps:` must be a valid workflow, any other must be YAML. Where the line before says
  `<!-- file: NAME -->` it (or a block in any other language) is written to that file.
- `sh` is run. `<!-- exit: N -->` before it says how it ends (0).
- `text` after `<!-- prints -->` stands in what the block before it printed.
- `<!-- not run: REASON -->` before a block leaves it out.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from agentrun.workflow.load import check_text
from agentrun.workflow.problems import render_problems
from agentrun.workflow.yaml_source import parse

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
ELSEWHERE = {"workflow.md"}
"""Pages whose YAML has a test of its own, where fragments stand."""

_BLOCK = re.compile(
    r"(?P<marks>(?:^<!-- [^\n]* -->\n)*)^```(?P<language>[a-z]+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_MARK = re.compile(
    r"^<!-- (?P<name>file|exit|prints|not run)(?:: (?P<value>.*))? -->$", re.MULTILINE
)
_LINK = re.compile(r"\]\((?P<to>[^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block, and what the comments before it say of it."""

    language: str
    text: str
    marks: dict[str, str]


def blocks(page: Path) -> Iterator[Block]:
    for found in _BLOCK.finditer(page.read_text("utf-8")):
        marks = {m["name"]: m["value"] or "" for m in _MARK.finditer(found["marks"])}
        yield Block(found["language"], found["text"], marks)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return an environment with `agentrun` on the PATH."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    command = bin_dir / "agentrun"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m agentrun "$@"\n')
    command.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{bin_dir}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path),
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_example_works(page: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    place = tmp_path / "place"
    place.mkdir()
    printed = ""
    for block in blocks(page):
        if "not run" in block.marks:
            assert block.marks["not run"], f"{page}: say why a block is not run"
            continue
        if name := block.marks.get("file"):
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        if block.language == "yaml" and page.name not in ELSEWHERE:
            _check_yaml(block, place / block.marks.get("file", "example.yaml"))
        elif block.language == "sh":
            printed = _run(block, place, environ)
        elif "prints" in block.marks:
            for line in block.text.strip().splitlines():
                assert line.strip() in printed, f"{page}: not printed: {line}\n{printed}"


def _check_yaml(block: Block, path: Path) -> None:
    if not re.search(r"^steps:", block.text, re.MULTILINE):
        assert parse(block.text, path.name)[1] == []
        return
    _, problems = check_text(block.text, path)
    wrong = [each for each in problems if each.severity == "error"]
    assert wrong == [], render_problems(wrong)


def _run(block: Block, place: Path, environ: dict[str, str]) -> str:
    """Run a block; return what it printed on both streams."""
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", block.text], cwd=place, env=environ, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    wanted = int(block.marks.get("exit", "0"))
    assert done.returncode == wanted, f"{block.text}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for found in _LINK.finditer(re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)):
        to, _, heading = found["to"].partition("#")
        if to.startswith(("http://", "https://", "mailto:")):
            continue
        target = (page.parent / to) if to else page
        assert target.exists(), f"{page.name}: {found['to']}"
        if heading and target.suffix == ".md":
            assert heading in _headings(target), f"{page.name}: {found['to']}"


def _headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    lines = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def test_every_page_is_in_the_index() -> None:
    text = (ROOT / "docs" / "index.md").read_text()
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES} - {"index.md"}
    assert {page for page in pages if f"]({page})" not in text} == set()
