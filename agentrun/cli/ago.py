"""Options that name a moment by how long ago it was, such as `--since 7d`."""


def moment_ago(option: str, duration: str | None, now: float) -> float | None:
    """Return the moment that lies so long before `now`; None when the option was not given."""
    if duration is None:
        return None
    from agentrun.errors import UsageError
    from agentrun.workflow.units import duration_s

    try:
        return now - duration_s(duration)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", f"e.g. {option} 7d") from error
