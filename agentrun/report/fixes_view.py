"""How `debug` shows what the Debugger proposes: numbered diffs, with their record."""

from collections.abc import Iterator, Sequence

from agentrun.recovery.debugger.case import Case, Proposal
from agentrun.report import words
from agentrun.report.screen import Screen, Style

_STYLES: dict[str, Style] = {"+": "green", "-": "red"}


def fix_lines(cases: Sequence[Case], out: Screen, command: Sequence[str]) -> Iterator[str]:
    """Yield the diagnoses and the fixes; `command` applies one, without its number."""
    for case in cases:
        if not case.diagnoses:
            continue
        yield ""
        yield from diagnosis_lines(case, out)
        for offered in case.proposals:
            yield from (f"  {line}" for line in proposal_lines(offered, out))
    if any(case.proposals for case in cases):
        yield ""
        yield f"  apply one   {words.typed(command)} N"


def diagnosis_lines(case: Case, out: Screen) -> Iterator[str]:
    """Yield what each analyst says of a failed step, and on what evidence."""
    yield out.paint("bold", f"{case.step}: what the Debugger says")
    if not case.diagnoses:
        yield "  nothing: neither memory nor a rule knows this failure"
    for each in case.diagnoses:
        yield f"  {words.one_line(each.cause)}  ({each.analyst}, {each.confidence:.0%} sure)"
        if each.evidence:
            yield out.paint("dim", f"    on {words.one_line(each.evidence)}")


def proposal_lines(offered: Proposal, out: Screen) -> Iterator[str]:
    """Yield one numbered fix and its diff."""
    risk = "" if offered.risk == "safe" else f"risk: {offered.risk}"
    notes = [offered.fix.reason, offered.record, risk]
    told = "; ".join(words.one_line(note) for note in notes if note)
    yield f"fix {offered.number}: {offered.fix.type}{f'  ({told})' if told else ''}"
    for line in offered.diff.splitlines():
        yield f"  {out.paint(_STYLES.get(line[:1], ''), words.safe(line))}"
