"""What actions_matrix.yaml calls."""

from itertools import product


def pairs(platforms: list[str], versions: list[str]) -> list[dict[str, str]]:
    return [{"platform": p, "version": v} for p, v in product(platforms, versions)]
