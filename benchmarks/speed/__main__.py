"""Measure agentrun beside the floor and its peers, and print tables.

    python -m benchmarks.speed [--quick] [--peers] [--rounds N] [--only TEXT] [--python PATH]
                               [--folder DIR] [--write docs/benchmarks.md] [--json FILE]

All programs do the same work in turn, several rounds; medians are shown, with the fastest and the
slowest round, and the ratio to the floor's median in the same rounds: that is what compares between
machines. `--python` is the interpreter of an installation that is to be measured; without it a
fresh virtual environment is made and this checkout installed into it, since an editable one starts
more slowly. `--peers` installs the peers into others. Not on a tmpfs: syncs cost nothing there.
`--json` keeps what it holds of works that were not measured now, so that one row can be made anew.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.speed.measure import Cost, Row, cleared, disk_kb, run, summary
from benchmarks.speed.peers import PEERS
from benchmarks.speed.work import Work, all_work

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BEGIN, END = "<!-- begin of the measured tables -->", "<!-- end of the measured tables -->"
broken: set[str] = set()
"""Peers that do not run here."""
WARM = (
    "from pathlib import Path; from agentrun.workflow.cache import load_cached as l; l(Path('{}'))"
)


def installed(folder: Path, *packages: str) -> str:
    """Make a virtual environment with these packages; return its interpreter."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    subprocess.run([python, "-m", "compileall", "-q", str(folder / "lib")], check=False)
    return python


def peers_in(folder: Path) -> dict[str, str]:
    """Install each peer into an environment of its own; leave out what can't be installed."""
    found = {}
    for name, packages in PEERS.items():
        try:
            found[name] = installed(folder / name, *packages)
        except subprocess.CalledProcessError:
            print(f"{name} can't be installed here: left out", file=sys.stderr)
    return found


def rows_of(
    work: Work,
    python: str,
    peers: Mapping[str, str],
    folder: Path,
    env: Mapping[str, str],
    rounds: int,
) -> list[Row]:
    """Measure one piece of work, everybody in turn."""
    ours = folder / "agentrun"
    ours.mkdir(parents=True)
    work.prepare(ours)
    if (ours / "flow.yaml").exists():
        warm = WARM.format("flow.yaml")
        subprocess.run([python, "-c", warm], cwd=ours, env=dict(env), check=True)
    if work.setup is not None:
        setup = [python, "-m", "agentrun", *work.setup]
        subprocess.run(setup, cwd=ours, env=dict(env), check=True, stdout=subprocess.DEVNULL)
    if work.before is not None:
        subprocess.run(
            [python, "-m", "agentrun", *work.before],
            cwd=ours,
            env=dict(env),
            check=False,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        (ours / "checkpoints").rename(ours / "kept")
        (ours / "go_on").touch()
    costs: dict[str, list[Cost]] = {}
    for _ in range(rounds):
        for who, cost in one_round(work, python, peers, folder, env):
            costs.setdefault(who, []).append(cost)
    rows = [summary(work.name, who, found) for who, found in costs.items()]
    floor = next(row for row in rows if row.who == "floor")
    return [with_ratio(row, floor, work) for row in rows]


def one_round(
    work: Work, python: str, peers: Mapping[str, str], folder: Path, env: Mapping[str, str]
) -> Iterator[tuple[str, Cost]]:
    ours, floor = folder / "agentrun", folder / "floor"
    floor.mkdir(exist_ok=True)
    if (ours / "flow.yaml").exists():
        shutil.copy(ours / "flow.yaml", floor)
    if work.before is None:
        cleared(floor, "floor.jsonl")
    cost = run([python, str(HERE / "floor.py"), *work.floor], floor, env)
    yield "floor", replace(cost, disk_kb=disk_kb(floor))
    if not work.keeps:
        cleared(ours, "checkpoints")
    if work.before is not None:
        shutil.copytree(ours / "kept", ours / "checkpoints", symlinks=True)
    cost = run([python, "-m", "agentrun", *work.ours], ours, env, "reached" * bool(work.before))
    size = disk_kb(ours / "checkpoints") if (ours / "checkpoints").exists() else 0.0
    yield "agentrun", replace(cost, disk_kb=size)
    for name, peer in peers.items() if work.peers else ():
        if name in broken:
            continue
        there = folder / name
        cleared(there)
        shutil.rmtree(there, ignore_errors=True)
        there.mkdir()
        peer_env = {**env, "PREFECT_HOME": str(there), "PREFECT_LOGGING_LEVEL": "CRITICAL"}
        try:
            cost = run([peer, str(HERE / "peers.py"), name, *work.peers], there, peer_env)
        except RuntimeError as error:
            print(f"{name} does not run here: {str(error)[-300:]}", file=sys.stderr)
            broken.add(name)
            continue
        yield name, replace(cost, disk_kb=disk_kb(there))


def with_ratio(row: Row, floor: Row, work: Work) -> Row:
    own, least = (row.cpu_s, floor.cpu_s) if work.measures == "cpu" else (row.wall_s, floor.wall_s)
    if row.who != "agentrun":
        return replace(row, ratio=own / least)
    if work.limit_s is not None:
        met = row.wall_s <= work.limit_s
        return replace(row, ratio=own / least, target=f"{work.limit_s:g} s", met=met)
    if work.target is None:
        return replace(row, ratio=own / least)
    target = f"{work.target:g} ×" + (" (CPU)" if work.measures == "cpu" else "")
    met = own / least <= work.target
    if work.limit_mb is not None:
        target, met = f"{target}, {work.limit_mb:g} MB", met and row.memory_mb <= work.limit_mb
    return replace(row, ratio=own / least, target=target, met=met)


def markdown(rows: list[Row]) -> str:
    lines = [
        "| work | who | median | from | to | CPU | × floor | target | memory | on disk |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        target = row.target + {True: " ✓", False: " ✗", None: ""}[row.met]
        name = f"**{row.who}**" if row.who == "agentrun" else row.who
        times = " | ".join(map(shown, (row.wall_s, row.wall_from_s, row.wall_to_s, row.cpu_s)))
        lines.append(
            f"| {row.work} | {name} | {times} | {row.ratio:.2f} | {target}"
            f" | {row.memory_mb:.0f} MB | {row.disk_kb:,.0f} kB |"
        )
    return "\n".join(lines) + "\n"


def shown(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def kept_rows(path: Path | None, rows: list[Row]) -> list[Row]:
    """Return what is known of works that were not measured now."""
    if path is None or not path.exists():
        return []
    now = {row.work for row in rows}
    return [Row(**each) for each in json.loads(path.read_text()) if each["work"] not in now]


def written(path: Path, table: str, rounds: int) -> None:
    """Put the tables into the page, between its two marks."""
    text = path.read_text("utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    about = (
        f"Medians of {rounds} rounds, Python {platform.python_version()},"
        f" {os.cpu_count()} processors shared with others.\n\n"
    )
    path.write_text(f"{head}{BEGIN}\n\n{about}{table}\n{END}{tail}", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="leave out what takes minutes")
    parser.add_argument("--peers", action="store_true", help="install and measure the peers too")
    parser.add_argument("--peers-in", type=Path, help="a folder of environments made before")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="works whose name holds this text")
    parser.add_argument("--python", help="an interpreter with agentrun installed")
    parser.add_argument("--folder", help="where to work (not a tmpfs)")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", type=Path, help="a page to put the tables into")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        peers: dict[str, str] = {}
        if given.peers_in is not None:
            peers = {n: str(given.peers_in / n / "bin" / "python") for n in PEERS}
            peers = {n: python for n, python in peers.items() if os.path.exists(python)}
        elif given.peers:
            peers = peers_in(folder / "peers")
        python = given.python or installed(folder / "venv", str(ROOT))
        kept = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH", "AGENTRUN_CHECKPOINTS")
        env = {key: value for key, value in os.environ.items() if key not in kept}
        env["XDG_CACHE_HOME"] = str(folder / "cache")
        rows: list[Row] = []
        for number, work in enumerate(all_work(quick=given.quick)):
            if given.only in work.name:
                found = rows_of(work, python, peers, folder / str(number), env, given.rounds)
                print(markdown(found), flush=True, file=sys.stderr)
                rows += found
                shutil.rmtree(folder / str(number))
    rows = kept_rows(given.json, rows) + rows
    table = markdown(rows)
    print(table)
    if given.json:
        given.json.write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n")
    if given.write:
        written(given.write, table, given.rounds)


if __name__ == "__main__":
    main()
