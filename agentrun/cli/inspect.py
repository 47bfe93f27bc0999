"""`agentrun inspect`: how a task stands, now or at any moment of its life."""

from typing import TYPE_CHECKING, Annotated

import typer

from agentrun.cli import complete, options, settings

if TYPE_CHECKING:
    from agentrun.cli.settings import Settings
    from agentrun.report.diff_view import Side
    from agentrun.report.screen import Screen
    from agentrun.store.view import TaskView

EXAMPLES = """
agentrun inspect latest
agentrun inspect latest --step 'label[3]'        # one step: its life, output and logs
agentrun inspect latest --at label               # when `label` last ended
agentrun inspect latest --diff 12 40             # two moments of a task
agentrun inspect latest --diff TASK1 TASK2       # or two tasks
agentrun inspect latest --verify                 # check every file of the task
"""


def inspect_command(
    task: options.Task,
    *,
    at: options.At = None,
    step: Annotated[
        str | None,
        typer.Option(
            "--step", metavar="STEP", help="Show one step.", autocompletion=complete.steps
        ),
    ] = None,
    diff: Annotated[
        tuple[str, str] | None,
        typer.Option("--diff", metavar="A B", help="Compare two moments, or two tasks."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check every file of the task; exit 4 if damaged.")
    ] = False,
    json: options.JsonFlag = False,
) -> int:
    """Show a task: its steps, attempts, waits, failures and costs, and what to type next.

    Changes nothing. Works on running, failed and damaged tasks.
    """
    from agentrun.cli.task_view import open_view
    from agentrun.report import screen

    now = settings.current()
    view, out = open_view(now, task, even_empty=verify), screen.stdout(color=now.color)
    if verify:
        return _verify(view, out, json=json)
    if diff is not None:
        return _diff(view, now, out, *diff, json=json)
    if step is not None:
        return _step(view, out, step, at, json=json)
    return _page(view, now, out, at, json=json)


def _page(view: "TaskView", now: "Settings", out: "Screen", at: str | None, *, json: bool) -> int:
    import time

    from agentrun.cli.task_view import definition, output_of, shown
    from agentrun.report.inspect_view import Page, inspect_lines, shown_status
    from agentrun.report.moment import moment
    from agentrun.report.result import task_object, write_json

    seq = moment(view.records, at) if at is not None else None
    state = view.state if seq is None else view.state_at(seq)
    live = view.running and seq is None
    page = Page(
        state,
        definition(view),
        shown(view, state.inputs),
        live=live,
        past=seq is not None and seq < view.records[-1].seq,
        now=time.time(),
        folder_option=now.folder_option(),
    )
    if not json:
        out.lines(inspect_lines(page, out))
        return 0
    ending = state.ending
    found = task_object(
        state,
        shown(view, ending.outputs) if ending else None,
        exit_code=ending.exit_code if ending else 0,
        workflow=page.workflow,
        folder_option=page.folder_option,
    )
    found["status"] = shown_status(state, live=live or page.past)
    extra = {"seq": state.seq, "inputs": page.inputs, "running": live}
    outputs = {key: output_of(view, state, key) for key in found["steps"]}
    write_json(out, {**found, **extra, "step_outputs": outputs})
    return 0


def _step(view: "TaskView", out: "Screen", step: str, at: str | None, *, json: bool) -> int:
    import time

    from agentrun.cli.task_view import definition, output_of
    from agentrun.errors import UsageError
    from agentrun.report.moment import moment, near_names
    from agentrun.report.result import write_json
    from agentrun.report.step_view import StepPage, step_lines, step_object

    seq = moment(view.records, at) if at is not None else view.records[-1].seq
    state = view.state_at(seq)
    workflow = definition(view)
    known = dict.fromkeys([*state.steps, *([s.id for s in workflow.steps] if workflow else [])])
    if step not in known:
        raise UsageError(f"there is no step {step!r} in this task", near_names(known, step))
    paths = (view.log_path(step, n) for n in range(1, state.step(step).attempts + 1))
    page = StepPage(
        step,
        state,
        view.records[:seq],
        output_of(view, state, step),
        [str(path) for path in paths if path.exists()],
        time.time(),
    )
    if json:
        write_json(out, step_object(page))
    else:
        out.lines(step_lines(page, out))
    return 0


def _diff(view: "TaskView", now: "Settings", out: "Screen", a: str, b: str, *, json: bool) -> int:
    from agentrun.report.diff_view import diff_lines, diff_object
    from agentrun.report.result import write_json

    sides = _side(view, now, a), _side(view, now, b)
    if json:
        write_json(out, diff_object(*sides))
    else:
        out.lines(diff_lines(*sides, out))
    return 0


def _side(view: "TaskView", now: "Settings", text: str) -> "Side":
    """Return what `--diff` names: a moment of this task, else another task."""
    from agentrun.cli.task_view import open_view, output_of, shown
    from agentrun.report.diff_view import Side
    from agentrun.report.moment import is_moment, moment

    if is_moment(view.records, text) or text.isdecimal():
        seq = moment(view.records, text)
        state, name, source = view.state_at(seq), f"{view.task_id} after event {seq}", view
    else:
        source = open_view(now, text)
        state, name = source.state, source.task_id
    inputs = shown(source, state.inputs)
    return Side(name, state, inputs, lambda key: output_of(source, state, key))


def _verify(view: "TaskView", out: "Screen", *, json: bool) -> int:
    from agentrun.report.result import write_json
    from agentrun.store.disk import Disk
    from agentrun.store.verify import verify

    findings = verify(Disk(), view)
    bad = [finding for finding in findings if not finding.ok]
    if json:
        found = [{"file": f.file, "ok": f.ok, "message": f.message} for f in findings]
        write_json(out, {"task_id": view.task_id, "ok": not bad, "findings": found})
        return 4 if bad else 0
    for finding in findings:
        mark = out.paint("green", "ok ") if finding.ok else out.paint("red", "bad")
        out.line(f"{mark}  {finding.file}: {finding.message}")
    if bad:
        out.line(f"{len(bad)} of {len(findings)} are damaged; what can be repaired is, on resume")
    return 4 if bad else 0
