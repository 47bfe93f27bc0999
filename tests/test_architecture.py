"""The house keeps its shape: imports go down only, the core is pure, no file outgrows a head."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "agentrun"
FILES = sorted(PACKAGE.rglob("*.py"))

FLOORS = (
    {"core", "errors", "lean", "__init__"},
    {"store", "failures", "steps"},
    {"workflow", "recovery"},
    {"report"},
    {"tui"},
    {"runner"},
    {
        "clock",
        "last_success",
        "requests",
        "pinned",
        "stop_signals",
        "notify",
        "foresight",
        "stubs",
        "leftovers",
    },
    {"diagnose"},
    {"asking"},
    {"changes", "perform"},
    {"aftermath"},
    {"app"},
    {"steer"},
    {"cli"},
    {"__main__"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
IMPURE = {"os", "time", "random", "pathlib", "asyncio", "rich", "typer", "yaml", "datetime"}
MAX_LINES = 550


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "agentrun":
            yield from (f"agentrun.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    own = room_of(path)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "agentrun" or len(parts) == 1 or parts[1] in {own, "__version__"}:
            continue
        assert FLOOR_OF[parts[1]] <= FLOOR_OF[own], f"{own} imports {name}, which is above it"


def test_the_core_touches_neither_clock_nor_disk_nor_chance() -> None:
    for path in (PACKAGE / "core").glob("*.py"):
        roots = {name.partition(".")[0] for name in imported(path)}
        assert roots & IMPURE == set(), path.name


def test_no_file_outgrows_a_head() -> None:
    lines = {str(path): len(path.read_text().splitlines()) for path in FILES}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_third_party_modules_stay_where_they_belong() -> None:
    """Rich in the live view, Textual in the interactive one, Typer in the command line, PyYAML at
    the border.
    """
    homes = {
        "rich": {"report"},
        "textual": {"tui"},
        "typer": {"cli"},
        "yaml": {"workflow", "failures", "stubs"},
    }
    for path in FILES:
        for name in imported(path):
            allowed = homes.get(name.partition(".")[0])
            assert allowed is None or room_of(path) in allowed, f"{path} imports {name}"
