"""What `repo_health.yaml` computes. Plain functions: arguments in, JSON out."""

from collections import Counter
from pathlib import Path
from typing import Any

WANTED = {
    "a README": ("readme",),
    "a licence": ("license", "licence", "copying"),
    "a changelog": ("changelog", "changes", "history", "news"),
    "tests": ("tests/", "test/", "spec/"),
    "CI": (".github/workflows/", ".gitlab-ci", ".ci/", ".circleci/", "jenkinsfile"),
}


def size(repo: str, files: list[str]) -> dict[str, Any]:
    """Count lines per kind of file, and find the largest files."""
    lines: Counter[str] = Counter()
    sizes: list[tuple[int, str]] = []
    for name in files:
        path = Path(repo, name)
        if not path.is_file() or path.is_symlink():
            continue
        data = path.read_bytes()
        sizes.append((len(data), name))
        if b"\0" not in data[:8192]:
            lines[path.suffix or path.name] += data.count(b"\n")
    largest = sorted(sizes, reverse=True)[:5]
    return {
        "lines": dict(lines.most_common(8)),
        "bytes": sum(s for s, _ in sizes),
        "largest": largest,
    }


def check_syntax(repo: str, path: str) -> str | None:
    """Return the syntax error of a Python file, or null."""
    try:
        compile(Path(repo, path).read_bytes(), path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return f"{path}: {error}"
    return None


def report(
    files: list[str],
    history: list[str],
    size: dict[str, Any],
    syntax: list[str | None],
    todos: list[str],
    keys: list[str],
) -> dict[str, Any]:
    """Grade the checkout and write the report in Markdown."""
    facts = dict(line.partition("=")[::2] for line in history)
    broken = [problem for problem in syntax if problem]
    names = [name.lower() for name in files]
    missing = [what for what, starts in WANTED.items() if not _has(names, starts)]
    losses = {
        f"{len(broken)} Python file(s) do not parse": 25 * bool(broken),
        f"{len(keys)} file(s) look as if they held a key": 30 * bool(keys),
        f"there is no {', no '.join(m.removeprefix('a ') for m in missing)}": 8 * len(missing),
        f"{len(todos)} TODOs": min(10, len(todos) // 5),
        "nothing was committed for a month": 5 * (facts["recent"] == "0"),
    }
    grade = max(0, 100 - sum(losses.values()))
    out = [f"# Health: {grade} of 100", ""]
    out += [f"- **-{points}** {why}" for why, points in losses.items() if points] or [
        "- nothing to mend"
    ]
    out += [
        "",
        _told(len(files), size["bytes"], facts),
        "",
        "| kind | lines |",
        "|---|---|",
        *(f"| `{kind}` | {count:,} |" for kind, count in size["lines"].items()),
        "",
        "Largest: "
        + ", ".join(f"`{name}` ({bytes_ / 1e3:,.0f} kB)" for bytes_, name in size["largest"]),
    ]
    for title, found in (("Does not parse", broken), ("Looks like a key", keys), ("To do", todos)):
        if found:
            more = f" (+{len(found) - 10} more)" if len(found) > 10 else ""
            out += ["", f"## {title}{more}", *(f"- `{line[:160]}`" for line in found[:10])]
    return {"grade": grade, "text": "\n".join(out)}


def _told(files: int, size_bytes: int, facts: dict[str, str]) -> str:
    return (
        f"{files} files, {size_bytes / 1e6:.1f} MB; {facts['commits']} commits by "
        f"{facts['authors'].strip()} author(s), {facts['recent']} in the last 30 days, "
        f"last on {facts['last']}; {facts['dirty'].strip()} uncommitted change(s)"
    )


def _has(names: list[str], starts: tuple[str, ...]) -> bool:
    return any(name.startswith(starts) or f"/{name}".find(f"/{starts[0]}") >= 0 for name in names)
