"""The floor: the least that durable work costs. One small program per piece of work.

    python floor.py start FILE        load the YAML, run its command, write and sync one line
    python floor.py chain N           N calls, each with one synced line
    python floor.py fan_out N M S     N sleeps of S seconds, M at once, ended ones synced together
    python floor.py shell N           N times `bash -c true` and one synced line
    python floor.py resume N          read and parse N lines
    python floor.py typer             the help of a Typer app with one command, without Rich
    python floor.py load FILE         load the YAML
    python floor.py idle S            wait for `sleep S`
    python floor.py payload N BYTES   N calls whose text grows by BYTES each, written and synced

It writes into the current folder and prints nothing.
"""

import json
import os
import sys
import time


def line(step: str, output: object = None) -> bytes:
    """Return a record as large as the two that agentrun writes for a step."""
    record = {"step": step, "output": output, "time": time.time(), "more": "x" * 300}
    return (json.dumps(record) + "\n").encode()


def opened() -> int:
    return os.open("floor.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def record(fd: int, *lines: bytes) -> None:
    os.write(fd, b"".join(lines))
    os.fdatasync(fd)


def start(file: str) -> None:
    import subprocess

    import yaml

    with open(file, encoding="utf-8") as stream:
        workflow = yaml.safe_load(stream)
    fd = opened()
    for step in workflow["steps"]:
        done = subprocess.run(["bash", "-c", step["run"]], capture_output=True, check=True)
        record(fd, line(step["id"], done.stdout.decode()))


def chain(count: int) -> None:
    fd = opened()
    for number in range(count):
        record(fd, line(f"s{number}", 1))


def fan_out(count: int, at_once: int, seconds: float) -> None:
    import asyncio

    asyncio.run(_fan_out(count, at_once, seconds))


async def _fan_out(count: int, at_once: int, seconds: float) -> None:
    import asyncio

    fd, ended = opened(), asyncio.Event()
    numbers, done = iter(range(count)), list[bytes]()

    async def worker() -> None:
        for number in numbers:
            await asyncio.sleep(seconds)
            done.append(line(f"each[{number}]", 1))
            ended.set()

    workers = [asyncio.ensure_future(worker()) for _ in range(at_once)]
    written = 0
    while written < count:
        await ended.wait()
        ended.clear()
        lines, done[:] = list(done), []
        await asyncio.to_thread(record, fd, *lines)
        written += len(lines)
    await asyncio.gather(*workers)


def shell(count: int) -> None:
    import subprocess

    fd = opened()
    for number in range(count):
        done = subprocess.run(["bash", "-c", "true"], capture_output=True, check=True)
        record(fd, line(f"s{number}", done.stdout.decode()))


def resume(count: int) -> None:
    if not os.path.exists("floor.jsonl"):
        with open("floor.jsonl", "wb") as file:
            file.writelines(line(f"s{number}", 1) for number in range(count))
    with open("floor.jsonl", "rb") as file:
        done = {json.loads(text)["step"] for text in file}
    assert len(done) == count


def payload(count: int, grows: int) -> None:
    fd, text = opened(), ""
    for number in range(count):
        text += "x" * grows
        record(fd, line(f"s{number}", text))


def typer() -> None:
    import typer as tool

    app = tool.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.command()
    def only(name: str = "") -> None:
        """Do it."""

    app(["--help"])


def load(file: str) -> None:
    import yaml

    with open(file, encoding="utf-8") as stream:
        yaml.load(stream, Loader=yaml.CSafeLoader)


def idle(seconds: int) -> None:
    import subprocess

    subprocess.run(["bash", "-c", f"sleep {seconds}"], check=True)


def nothing() -> None:
    """Start the interpreter alone."""


if __name__ == "__main__":
    name, *given = sys.argv[1:]
    numbers = [float(each) if "." in each else int(each) for each in given if each[0].isdigit()]
    globals()[name](*(numbers or given))
