"""Properties are tried with the same examples on every run, however busy the machine is: a change
is judged by what it does, not by what happened to be drawn.

`pytest --hypothesis-profile=search` draws new examples each time, and remembers those that failed.
"""

from hypothesis import HealthCheck, settings

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", patient)
settings.register_profile("same", patient, derandomize=True)
settings.load_profile("same")
