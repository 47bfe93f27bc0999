"""Writes one key into a workflow's text, as a person would: nothing else of the file changes.

Knows the two ways a step is written (block and flow). What does not fit raises CannotWrite; the
caller checks the result by loading it.
"""

import re


class CannotWrite(Exception):
    """The key can't be written without touching more; the text says why."""


def set_step_key(text: str, line: int, key: str, value: str) -> str:
    """Return the text with `key: value` in the step that begins on this line (from 1)."""
    lines = text.splitlines(keepends=True)
    index = line - 1
    found = re.match(r"(\s*-\s+)(.*)", lines[index]) if index < len(lines) else None
    if found is None:
        raise CannotWrite(f"line {line} does not begin a step")
    if found[2].startswith("{"):
        lines[index] = _in_flow(lines[index], key, value)
    else:
        _in_block(lines, index, len(found[1]), key, value)
    return "".join(lines)


def set_top_key(text: str, key: str, value: str) -> str:
    """Return the text with `key: value` above `steps:`."""
    if re.search(rf"^{key}\s*:", text, re.MULTILINE):
        raise CannotWrite(f"the file has `{key}:` already")
    found = re.search(r"^steps\s*:", text, re.MULTILINE)
    if found is None:
        raise CannotWrite("there is no line `steps:`")
    return f"{text[: found.start()]}{key}: {value}\n{text[found.start() :]}"


def _in_flow(line: str, key: str, value: str) -> str:
    if re.search(rf"[{{,]\s*{key}\s*:", line):
        changed = re.sub(
            rf"([{{,]\s*{key}\s*:\s*)[^,{{}}\[\]]+?(\s*[,}}])", rf"\g<1>{value}\2", line, count=1
        )
        if changed == line:
            raise CannotWrite(f"`{key}` stands there in a form that can't be replaced")
        return changed
    at = line.index("{") + 1
    end = re.match(r"\s*id\s*:\s*[\w-]+\s*,?", line[at:])
    if end is None:
        return f"{line[:at]}{key}: {value}, {line[at:].lstrip()}"
    at += end.end()
    before = line[:at].rstrip(", ")
    return (
        f"{before}, {key}: {value}, {line[at:].lstrip(', ')}"
        if "," in end[0]
        else (f"{before}, {key}: {value}{line[at:]}")
    )


def _in_block(lines: list[str], index: int, indent: int, key: str, value: str) -> None:
    end = index + 1
    for number in range(index + 1, len(lines)):
        stripped = lines[number].strip()
        if stripped and len(lines[number]) - len(lines[number].lstrip()) < indent:
            break
        if stripped:
            end = number + 1
    for number in range(index, end):
        own = (
            lines[number][indent:] if number == index or not lines[number][:indent].strip() else ""
        )
        found = re.match(rf"{key}\s*:[ \t]*([^\s#|>&*!][^#\n]*?)([ \t]*(?:#.*)?)(\r?\n|$)", own)
        if found is not None:
            lines[number] = f"{lines[number][:indent]}{key}: {value}{found[2]}{found[3]}"
            return
        if re.match(rf"{key}\s*:", own):
            raise CannotWrite(f"`{key}` stands there in a form that can't be replaced")
    if not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    lines.insert(end, f"{' ' * indent}{key}: {value}\n")
