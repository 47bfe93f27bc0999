"""A workflow's steps as a picture: in the terminal, as Mermaid, as DOT.

Owns the three notations. `states` colours steps by how they stand in a task; without it the plain
graph is drawn. Edges are those that matter: a need that another need implies is left out.
"""

from collections.abc import Mapping
from typing import Literal

from agentrun.core.model import Step, Workflow
from agentrun.workflow.order import Ancestors, sorted_by_needs

Format = Literal["terminal", "mermaid", "dot"]

_MARKS = {
    "succeeded": "✔", "failed": "✖", "running": "▶", "waiting": "…", "skipped": "⊘",
    "blocked": "⊘", "cancelled": "⊘", "interrupted": "!", "pending": "○",
}  # fmt: skip
_COLOURS = {
    "succeeded": "#c8e6c9", "failed": "#ffcdd2", "running": "#bbdefb", "waiting": "#fff9c4",
    "skipped": "#eeeeee", "blocked": "#eeeeee", "cancelled": "#eeeeee", "interrupted": "#ffe0b2",
}  # fmt: skip


def draw(workflow: Workflow, form: Format, states: Mapping[str, str] | None = None) -> str:
    """Return the picture, ending in a newline."""
    edges = direct_needs(workflow)
    if form == "mermaid":
        return _mermaid(workflow, edges, states or {})
    if form == "dot":
        return _dot(workflow, edges, states or {})
    return _terminal(workflow, edges, states or {})


def direct_needs(workflow: Workflow) -> dict[str, tuple[str, ...]]:
    """Return for each step the needs that no other of its needs implies."""
    needs = {step.id: step.needs for step in workflow.steps}
    ordered, _ = sorted_by_needs(needs)
    above = Ancestors(needs, ordered)
    return {
        step: tuple(
            each
            for each in mine
            if each in needs and not any(above.has(other, each) for other in mine if other != each)
        )
        for step, mine in needs.items()
    }


def label(step: Step) -> str:
    """Return what people read for a step: its name or id, its kind, and what repeats it."""
    parts = [step.kind]
    if step.for_each is not None:
        parts.append("for each")
    if step.until is not None:
        parts.append("until")
    if step.if_ is not None:
        parts.append("if")
    return f"{step.name or step.id} ({', '.join(parts)})"


def _mermaid(
    workflow: Workflow, edges: Mapping[str, tuple[str, ...]], states: Mapping[str, str]
) -> str:
    lines = ["flowchart TD"]
    for step in workflow.steps:
        text = label(step).replace('"', "#quot;")
        shape = (
            ("{{", "}}")
            if step.kind == "approval"
            else ("[[", "]]")
            if step.kind == "workflow"
            else ("[", "]")
        )
        state = states.get(step.id)
        lines.append(
            f'  {_mermaid_id(step.id)}{shape[0]}"{text}"{shape[1]}'
            + (f":::{state}" if state else "")
        )
    for step_id, needs in edges.items():
        lines += [f"  {_mermaid_id(each)} --> {_mermaid_id(step_id)}" for each in needs]
    for state in sorted(set(states.values()) & _COLOURS.keys()):
        lines.append(f"  classDef {state} fill:{_COLOURS[state]}")
    return "\n".join(lines) + "\n"


def _mermaid_id(step: str) -> str:
    """Return an id that Mermaid does not take for one of its words (`end`, `graph`)."""
    return f"s_{step}"


def _dot(
    workflow: Workflow, edges: Mapping[str, tuple[str, ...]], states: Mapping[str, str]
) -> str:
    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'

    lines = [
        f"digraph {quoted(workflow.name)} {{",
        "  node [shape=box, style=filled, fillcolor=white];",
    ]
    for step in workflow.steps:
        colour = _COLOURS.get(states.get(step.id, ""))
        fill = f', fillcolor="{colour}"' if colour else ""
        lines.append(f"  {quoted(step.id)} [label={quoted(label(step))}{fill}];")
    for step_id, needs in edges.items():
        lines += [f"  {quoted(each)} -> {quoted(step_id)};" for each in needs]
    return "\n".join([*lines, "}"]) + "\n"


def _terminal(
    workflow: Workflow, edges: Mapping[str, tuple[str, ...]], states: Mapping[str, str]
) -> str:
    """Draw the steps in levels: those of one level can run at the same time."""
    ordered, _ = sorted_by_needs({step.id: step.needs for step in workflow.steps})
    level: dict[str, int] = {}
    for name in ordered:
        level[name] = 1 + max((level[each] for each in edges[name]), default=-1)
    place = {step.id: number for number, step in enumerate(workflow.steps)}
    ranked = sorted(workflow.steps, key=lambda each: (level[each.id], place[each.id]))
    lines = [workflow.name]
    for number, step in enumerate(ranked):
        mine = level[step.id]
        first = number == 0 or level[ranked[number - 1].id] != mine
        last = number + 1 == len(ranked) or level[ranked[number + 1].id] != mine
        if first and number:
            lines.append("│")
        branch = "●" if first and last else "┌" if first else "└" if last else "├"
        state = states.get(step.id, "")
        mark = f"{_MARKS[state]} " if state in _MARKS else ""
        after = _after(edges[step.id], ranked, level, mine)
        lines.append(f"{branch}─ {mark}{label(step)}{after}")
    return "\n".join(lines) + "\n"


def _after(needs: tuple[str, ...], ranked: list[Step], level: Mapping[str, int], mine: int) -> str:
    """Say what a step waits for, where it is not simply everything on the level above."""
    above = (
        {each.id for each in ranked if level[each.id] == mine - 1} if len(ranked) <= 500 else set()
    )
    if set(needs) == above:
        return ""
    return f"   ← {', '.join(needs)}" if needs else ""
