from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agents.fake_cli import FakeCli
from tests.agents.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path)})


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], FakeCli]:
    return lambda name: FakeCli(tmp_path, name)
