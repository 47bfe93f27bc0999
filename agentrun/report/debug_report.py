"""`debug --report`: the same facts as a file to send to somebody: Markdown, HTML or JSON."""

from collections.abc import Iterator, Sequence
from html import escape

from msgspec import to_builtins

from agentrun.core import events as ev
from agentrun.core.model import Json
from agentrun.core.state import TaskState
from agentrun.report import words
from agentrun.report.debug_view import debug_next, log_lines
from agentrun.report.incident import Incident, Seen
from agentrun.report.result import error_object, json_text
from agentrun.report.sentences import failure_text
from agentrun.report.since_success import since_heading, since_lines
from agentrun.report.timeline import timeline

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
pre { background: #f4f4f4; padding: .7rem; overflow: auto } h2 { border-bottom: 1px solid #ccc }
td { padding: .1rem 1rem .1rem 0; vertical-align: top }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #ddd }
  pre { background: #262626 }
}
"""


def report_object(
    state: TaskState, found: Sequence[Incident], folder_option: Sequence[str] = ()
) -> dict[str, Json]:
    """Return everything as data."""
    return {
        "task_id": state.task_id,
        "workflow": state.workflow,
        "status": state.status,
        "seq": state.seq,
        "error": error_object(state),
        "incidents": [to_builtins(incident) for incident in found],
        "next": [each.command for each in debug_next(state, found, folder_option)],
    }


def markdown(
    state: TaskState,
    found: Sequence[Incident],
    records: Sequence[ev.Recorded],
    folder_option: Sequence[str] = (),
) -> Iterator[str]:
    """Yield the lines of a Markdown report."""
    yield f"# {state.task_id}: {state.status}"
    yield ""
    work = words.duration(state.active_s)
    yield f"Workflow `{state.workflow}`, started {words.iso(state.started_at)}, {work} of work."
    for incident in found:
        yield from _incident(incident, state, records)
    yield from ("", "## Next", "")
    for each in debug_next(state, found, folder_option):
        yield f"- `{each.command}`: {each.why}"


def _incident(
    incident: Incident, state: TaskState, records: Sequence[ev.Recorded]
) -> Iterator[str]:
    failure = incident.failure
    what = failure_text(failure, 400) if failure else words.one_line(incident.question)
    yield from ("", f"## {incident.step}: {what}", "")
    if failure is not None:
        evidence = words.one_line(failure.evidence, 120)
        yield f"- category `{failure.category}`, kind `{failure.kind}`"
        yield f"- rule `{failure.rule or 'none'}` on `{evidence}`"
        if failure.hint:
            yield f"- hint: {words.one_line(failure.hint)}"
    if incident.diagnosis is not None:
        yield f"- diagnosis: {words.one_line(incident.diagnosis.cause)}"
    yield from ("", "### What happened", "")
    told = [
        f"{recorded.seq:>5}  {words.iso(recorded.time)}  {said.text}"
        for recorded, said in timeline(state.task_id, records, incident.step)
    ]
    yield from _fenced(told)
    yield from ("", f"### Before it, after event {incident.before_seq}", "")
    yield from _fenced(json_text(_before(incident), indent=2).splitlines())
    if incident.since is not None:
        heading = since_heading(incident.since, state.updated_at)
        yield from ("", f"### {heading[:1].upper()}{heading[1:]}", "")
        yield from _fenced([line for _, line in since_lines(incident.since)])
    for seen in incident.attempts:
        yield from _attempt(seen)


def _before(incident: Incident) -> Json:
    needed = {each.step: {"status": each.status, "output": each.output} for each in incident.needed}
    return {
        "step": incident.definition,
        "inputs": incident.inputs,
        "item": incident.item,
        "needs": needed,
    }


def _attempt(seen: Seen) -> Iterator[str]:
    took = words.duration(seen.duration_s)
    yield from ("", f"### Attempt {seen.number}, {seen.ended} after {took}", "")
    for change in seen.changes:
        yield f"- changed for it: {words.one_line(change)}"
    if seen.log is not None:
        yield f"Printed {words.size(seen.log.size_bytes)} (`{seen.log.path}`):"
        yield ""
        yield from _fenced(log_lines(seen.log.tail))


def _fenced(lines: Sequence[str]) -> Iterator[str]:
    """Fence foreign lines so that none of them can end the fence."""
    longest = max((len(line) - len(line.lstrip("`")) for line in lines), default=0)
    fence = "`" * max(3, longest + 1)
    yield fence
    yield from (words.safe(line) for line in lines)
    yield fence


def html(
    state: TaskState,
    found: Sequence[Incident],
    records: Sequence[ev.Recorded],
    folder_option: Sequence[str] = (),
) -> Iterator[str]:
    """Yield the lines of an HTML page that needs no other file."""
    yield "<!doctype html>"
    yield f'<meta charset="utf-8"><title>{escape(state.task_id)}</title><style>{_STYLE}</style>'
    fence = ""
    for line in markdown(state, found, records, folder_option):
        if not fence and line.startswith("```"):
            fence = line
            yield "<pre>"
        elif fence and line == fence:
            fence = ""
            yield "</pre>"
        else:
            yield escape(line) if fence else _html_line(line)


def _html_line(line: str) -> str:
    marks = len(line) - len(line.lstrip("#"))
    if marks and line[marks : marks + 1] == " ":
        return f"<h{marks}>{escape(line[marks:].strip())}</h{marks}>"
    if line.startswith("- "):
        return f"<div>• {_code(line[2:])}</div>"
    return f"<p>{_code(line)}</p>" if line else ""


def _code(text: str) -> str:
    """Turn `code` between backquotes into elements."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(parts))
