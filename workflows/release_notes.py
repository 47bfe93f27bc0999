"""What `release_notes.yaml` computes: commits grouped by the verb they begin with."""

GROUPS = {
    "Added": ("add", "new", "feat", "allow", "support", "introduce"),
    "Fixed": ("fix", "mend", "repair", "correct", "resolve"),
    "Removed": ("remove", "delete", "drop"),
}


def write(version: str, subjects: list[str]) -> str:
    """Return the notes in Markdown."""
    sections: dict[str, list[str]] = {name: [] for name in (*GROUPS, "Changed")}
    for subject in subjects:
        verb = subject.split(":")[0].split("(")[0].split(" ")[0].lower()
        group = next((g for g, verbs in GROUPS.items() if verb.startswith(verbs)), "Changed")
        sections[group].append(subject)
    out = [f"# {version}"]
    for name, lines in sections.items():
        if lines:
            out += ["", f"## {name}", *(f"- {line}" for line in lines)]
    return "\n".join(out)
