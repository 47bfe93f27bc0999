"""What `city_report.yaml` computes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def start_server() -> dict[str, Any]:
    """Start the local server in a session of its own, so that it outlives this step."""
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("city_server.py")],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    return {**json.loads(process.stdout.readline()), "pid": process.pid}


def table(cities: list[dict[str, Any]]) -> str:
    """Write the cities as a Markdown table, largest first."""
    rows = [
        f"| {c['name']} | {c['country']} | {c['population']:,} | {c['founded']} |"
        for c in sorted(cities, key=lambda c: -c["population"])
    ]
    total = sum(c["population"] for c in cities)
    return "\n".join(
        [
            "| city | country | people | founded |",
            "|---|---|---:|---:|",
            *rows,
            f"\n{total:,} people in all",
        ]
    )
