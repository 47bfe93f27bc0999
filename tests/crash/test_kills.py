"""A few of the real kills; `python -m tests.crash` makes all of them."""

from pathlib import Path

import pytest

from tests.crash import kills

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def peace(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], float]:
    return kills.peaceful(tmp_path_factory.mktemp("peace") / "folder")


@pytest.mark.parametrize("number", [23, 71, 119, 143, 167])
def test_killed_at_a_call(
    number: int, tmp_path: Path, peace: tuple[dict[str, object], float]
) -> None:
    assert kills.at_call(tmp_path / "folder", number, peace[0])


@pytest.mark.parametrize("number", [17, 29])
def test_killed_by_the_kernel_at_a_system_call(
    number: int, tmp_path: Path, peace: tuple[dict[str, object], float]
) -> None:
    tracer = kills.strace()
    if tracer is None:
        pytest.skip("strace is missing or may not trace here: no kills at system calls")
    assert kills.at_traced_call(tmp_path / "folder", tracer, number, peace[0])


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments(
    seed: int, tmp_path: Path, peace: tuple[dict[str, object], float]
) -> None:
    expected, lasts_s = peace
    kills.at_moments(tmp_path / "folder", seed, lasts_s, expected)
