"""`debug --ask`: a question about a failed step, put to the workflow's own agent.

The agent gets the incident as data (recovery/debugger/analysts/agent.py) and the question; what it
answers is printed and changes nothing. It works in a folder of its own that goes afterwards.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from agentrun.core import address
from agentrun.core.model import OutputSpec, Step, Workflow
from agentrun.core.outcome import Note
from agentrun.core.state import StepState
from agentrun.diagnose import incident_at
from agentrun.errors import AgentrunError, UsageError
from agentrun.failures.project import project_rules
from agentrun.pinned import pinned_workflow
from agentrun.recovery.debugger.analysts.agent import question as asked
from agentrun.runner import edit
from agentrun.runner.attempt import Attempts
from agentrun.runner.judge import Judge
from agentrun.runner.order import Order
from agentrun.runner.result import Failed
from agentrun.steps.redact import Redactor
from agentrun.store.view import TaskView

TIMEOUT_S = 600.0


class _Places:
    """A folder for one question's log and state."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def log_path(self, step: str, attempt: int) -> Path:
        return self._folder / step / f"{attempt}.log"

    def state_dir(self, step: str) -> Path:
        folder = self._folder / step
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def ask(view: TaskView, key: str, question: str) -> str:
    """Return the answer. Raises UsageError without an agent, AgentrunError when it fails."""
    workflow = pinned_workflow(view)
    if workflow.debugger is None or workflow.debugger.agent is None:
        raise UsageError(
            f"the workflow {workflow.name} names no agent to ask",
            "add one: `debugger: {agent: {cli: claude}}`, then resume --workflow FILE",
        )
    inside = edit.workflow_at(workflow, view.state, address.parent_scope(key))
    if inside is None or view.state.step(key).failure is None:
        raise UsageError(f"{key} has no failure to ask about", f"agentrun debug {view.task_id}")
    prompt = asked(incident_at(view.state, view.values.masked, inside, key), question)
    spec = {"session": "fresh", **workflow.debugger.agent, "prompt": prompt}
    step = Step("ask", "agent", spec, output=OutputSpec(), timeout_s=TIMEOUT_S)
    with tempfile.TemporaryDirectory(prefix="agentrun-ask-") as folder:
        return asyncio.run(_perform(view, workflow, step, Path(folder)))


async def _perform(view: TaskView, workflow: Workflow, step: Step, folder: Path) -> str:
    secrets = {name: os.environ[name] for name in workflow.secrets if name in os.environ}
    base_dir = Path(view.state.workflow_path).parent
    attempts = Attempts(
        task_id=view.task_id,
        cwd=Path(view.state.cwd),
        base_dir=base_dir,
        places=_Places(folder),
        judge=Judge(Redactor(secrets), project_rules(base_dir), time.time),
        environ=dict(os.environ),
        monotonic=time.monotonic,
        note=_no_note,
        watch=lambda _step, _attempt, _data: None,
    )
    order = Order(
        key="ask",
        number=1,
        step=step,
        state=StepState(),
        workflow=workflow,
        names={"env": dict(os.environ)},
        idempotency_key="ask",
    )
    result = await attempts.perform(order)
    if isinstance(result, Failed):
        raise AgentrunError(f"the agent failed: {result.failure.message}", result.failure.hint)
    return str(result.output)


async def _no_note(_step: str, _attempt: int, _note: Note) -> None:
    """Take no note: nothing of a question is kept."""
