"""Properties are tried with the same examples on every run, however busy the machine is: a change
is judged by what it does, not by what happened to be drawn.

`pytest --hypothesis-profile=search` draws new examples each time, and remembers those that failed.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", patient)
settings.register_profile("same", patient, derandomize=True)
settings.load_profile("same")


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep validated workflows away from the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
