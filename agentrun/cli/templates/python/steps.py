"""The steps of workflow.yaml: plain functions. What they print goes to the attempt's log."""


def numbers(limit: int) -> list[int]:
    """Return the numbers to work on."""
    return list(range(1, limit + 1))


def square(number: int) -> int:
    """Return the square of one number."""
    print(f"squaring {number}")  # noqa: T201
    return number * number


def report(squares: list[int]) -> dict[str, int]:
    """Return the result."""
    return {"count": len(squares), "total": sum(squares)}
