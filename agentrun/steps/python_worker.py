"""The worker process of an isolated `python` step: one function, one answer.

Started as `python -P python_worker.py JOB ANSWER`, both descriptors of nameless files. Reads
`{"target", "base_dir", "with"}` from the one and writes `{"output"}` or `{"evidence"}` to the
other, so that nothing the function prints can be mistaken for its answer.
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Do the job."""
    job_fd, answer_fd = map(int, sys.argv[1:3])
    # what is printed must be in the log when it happens, not when a buffer is full
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    root = str(Path(__file__).resolve().parents[2])
    if root not in sys.path:
        sys.path.append(root)
    with open(job_fd, "rb", closefd=False) as file:
        job = json.load(file)
    answer = json.dumps(_perform(job["target"], Path(job["base_dir"]), job["with"])).encode()
    view = memoryview(answer)
    while view:
        view = view[os.write(answer_fd, view) :]


def _perform(target: str, base_dir: Path, with_: object) -> dict[str, object]:
    from collections.abc import Awaitable

    from agentrun.core.outcome import Success
    from agentrun.steps import calling

    result = calling.call_target(target, base_dir, with_)
    if isinstance(result, Awaitable):
        import asyncio

        outcome = asyncio.run(calling.settle(result))
    else:
        outcome = calling.outcome_of(result)
    if isinstance(outcome, Success):
        return {"output": outcome.output}
    import msgspec

    return {"evidence": msgspec.to_builtins(outcome)}


if __name__ == "__main__":
    main()
