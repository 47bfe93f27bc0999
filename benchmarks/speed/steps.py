"""The functions that the measured workflows call."""

import asyncio


def nothing() -> int:
    return 1


async def nap(seconds: float) -> int:
    await asyncio.sleep(seconds)
    return 1


def grown(text: str, grows: int) -> str:
    return (text or "") + "x" * grows


def numbers(count: int) -> list[int]:
    return list(range(count))


def stop_here() -> int:
    """End the process as a power cut would: nothing is said, nothing is written."""
    import os
    import pathlib
    import time

    if not pathlib.Path("go_on").exists():
        os._exit(9)
    pathlib.Path("reached").write_text(str(time.time()))
    return 1
