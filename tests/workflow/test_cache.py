"""An unchanged file costs no YAML and no Pydantic; whatever is wrong with the cache costs nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from agentrun.core.model import Workflow
from agentrun.workflow.cache import load_cached
from agentrun.workflow.problems import InvalidWorkflow
from tests.workflow.loading import load
from tests.workflow.test_loading import SPEC_EXAMPLE

TEXT = "steps:\n  - id: a\n    run: ls\n  - id: b\n    workflow: sub.yaml\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "agentrun"


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    (tmp_path / "flow.yaml").write_text(TEXT)
    (tmp_path / "sub.yaml").write_text("steps:\n  - {id: x, run: pwd}\n")
    return tmp_path / "flow.yaml"


def entries(cache: Path) -> list[Path]:
    return sorted(cache.iterdir()) if cache.is_dir() else []


def test_what_comes_from_the_cache_is_what_went_in(cache: Path, flow: Path) -> None:
    first = load_cached(flow)
    assert len(entries(cache)) == 1
    assert load_cached(flow) == first


def test_a_cached_workflow_loads_neither_yaml_nor_pydantic_nor_jinja(
    cache: Path, flow: Path
) -> None:
    load_cached(flow)
    code = (
        "import sys; from pathlib import Path; from agentrun.workflow.cache import load_cached\n"
        f"load_cached(Path({str(flow)!r}))\n"
        "assert not {'yaml', 'pydantic', 'jinja2', 'jsonschema', 'difflib'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )


def test_an_edited_file_is_read_anew(cache: Path, flow: Path) -> None:
    load_cached(flow)
    flow.write_text(TEXT.replace("run: ls", "run: pwd"))
    assert load_cached(flow).steps[0].spec["command"] == "pwd"


def test_an_edited_sub_workflow_is_read_anew(cache: Path, flow: Path) -> None:
    load_cached(flow)
    (flow.parent / "sub.yaml").write_text("steps:\n  - {id: x, run: date}\n")
    assert load_cached(flow).subworkflows["sub.yaml"].steps[0].spec["command"] == "date"


def test_an_invalid_file_is_not_kept(cache: Path, flow: Path) -> None:
    flow.write_text("steps:\n  - id: a\n")
    with pytest.raises(InvalidWorkflow):
        load_cached(flow)
    assert entries(cache) == []


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"null", b'{"workflow": {}}', b"\xff\xfe", b"[" * 10_000]
)
def test_a_damaged_entry_means_loading_normally(cache: Path, flow: Path, damage: bytes) -> None:
    first = load_cached(flow)
    entries(cache)[0].write_bytes(damage)
    assert load_cached(flow) == first


def test_the_folder_is_private(cache: Path, flow: Path) -> None:
    load_cached(flow)
    assert cache.stat().st_mode & 0o777 == 0o700
    assert entries(cache)[0].stat().st_mode & 0o077 == 0


def test_a_folder_that_others_can_write_is_not_used(cache: Path, flow: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    load_cached(flow)
    assert entries(cache) == []


def test_a_link_in_place_of_the_folder_is_not_followed(
    cache: Path, flow: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    cache.parent.mkdir()
    cache.symlink_to(tmp_path / "elsewhere")
    load_cached(flow)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_no_place_for_a_cache_is_no_problem(flow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert load_cached(flow).steps[0].id == "a"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert load_cached(flow).steps[0].id == "a"


def test_a_pinned_text_is_read_without_the_file(cache: Path, flow: Path) -> None:
    first = load_cached(flow)
    data = flow.read_bytes()
    flow.unlink()
    (flow.parent / "sub.yaml").unlink()
    assert load_cached(flow, data, first.sources).steps == first.steps


def test_a_workflow_survives_json() -> None:
    workflow = load(SPEC_EXAMPLE)
    assert msgspec.json.decode(msgspec.json.encode(workflow), type=Workflow) == workflow
