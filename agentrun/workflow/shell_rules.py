"""Programs and builtins that run, or evaluate, what they are given as arguments.

Owns the tables: in these places a value would be program text although the shell hands it over as
data. Only what can be recognised is refused; a script of the user's own that calls `eval` is not.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from agentrun.workflow.shell_scan import VALUE, Command, Refusal, Word, is_integer

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "mksh"})
_PROGRAM_OPTION = {
    name: re.compile(option)
    for names, option in (
        (" ".join(_SHELLS), r"-[a-zA-Z]*c[a-zA-Z]*"),
        ("python pypy", r"-[a-zA-Z]*c"),
        ("perl ruby", r"-[a-zA-Z]*[eE]"),
        ("node bun deno", r"-[ep]|-pe|--eval|--print|eval"),
        ("php", r"-[rRBE]|--run"),
        ("lua luajit R Rscript osascript julia raku", r"-[eE]|--eval"),
        ("pwsh powershell", r"(?i)-c(ommand)?"),
        ("psql", r"-c|--command"),
        ("mysql mariadb", r"-e|--execute"),
        ("su script flock expect", r"-[a-z]*c|--command"),
        ("env", r"-S|--split-string"),
        ("vim nvim vi", r"-c|--cmd"),
        ("gdb lldb", r"-ex|-o"),
        ("sed gsed", r"-[a-zA-Z]*e|--expression"),
    )
    for name in names.split()
}
"""The option after which a program stands."""
_PROGRAM_FIRST = {
    name: options
    for names, options in (
        ("awk gawk mawk nawk", {"-F": 1, "-v": 1, "--assign": 1, "--field-separator": 1}),
        ("sed gsed", {"-l": 1}),
        ("jq gojq jaq yq", {"--arg": 2, "--argjson": 2, "--slurpfile": 2, "--rawfile": 2,
                            "--indent": 1, "-L": 1}),
    )
    for name in names.split()
}  # fmt: skip
"""Programs whose first operand is a program, with the options that take arguments before it."""
_PROGRAM_FROM_FILE = {"awk": "-f", "gawk": "-f", "mawk": "-f", "sed": "-f", "jq": "-f"}
_SCRIPT_FIRST = _SHELLS | {"python", "pypy", "perl", "ruby", "node", "php", "lua"}
"""Interpreters whose first operand is a script: what follows are its arguments, just data."""
_OPTIONS_WITH_ARGUMENT = frozenset({
    "-o", "+o", "-O", "+O", "--rcfile", "--init-file", "-W", "-X", "-I", "-r", "-d", "-l", "-C",
    "--require", "--import",
})  # fmt: skip
_READS_PROGRAM = frozenset(_PROGRAM_OPTION) - {
    "sed",
    "gsed",
    "env",
    "su",
    "script",
    "flock",
    "vim",
    "vi",
    "nvim",
}
_EVALUATES = frozenset(
    {"eval", "source", ".", "let", "alias", "watch", "at", "parallel", "tmux", "screen"}
)
_NAMES_ONLY = frozenset(
    {"unset", "read", "mapfile", "readarray", "getopts", "complete", "compgen", "bind", "enable"}
)
_DECLARES = frozenset({"declare", "typeset", "local", "export", "readonly"})
_PREFIXES = frozenset({"command", "builtin", "exec", "nohup", "sudo", "doas"})
_RUN_LATER = frozenset({"PS0", "PS1", "PS2", "PS4", "PROMPT_COMMAND", "BASH_ENV", "ENV"})
_COMPARES = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[\])?\+?=")
_SSH_ARGUMENT = re.compile(r"-[46AaCfGgKkMNnqsTtVvXxYy]*[BbcDEeFIiJLlmOopQRSWw]")

_AS_ARGUMENT = "hand it over as an argument: bash -c '... \"$1\" ...' _ ${{ x }}"
_HINTS = {
    "jq": "use `jq --arg name ${{ x }} '... $name ...'`",
    "awk": "use `awk '... ENVIRON[\"NAME\"] ...'` with NAME under `env`",
    "sed": "use a python step, or put it under `env` and read it in awk",
    "python": "use a `python` step, or read it with sys.argv: python -c '...' ${{ x }}",
    "psql": "use `psql -v name=${{ x }}` and :'name' in a file",
}


def refusals(commands: list[Command], arithmetic: list[str]) -> Iterator[Refusal]:
    """Yield every value that would be run or evaluated by what it is given to.

    `arithmetic` are the texts of `$(( ))` and `(( ))`: a variable that holds a value is evaluated
    there as well.
    """
    evaluated = set(re.findall(r"[A-Za-z_]\w*", " ".join(arithmetic)))
    evaluated |= {name for each in commands for name in _compared(each)}
    integers = {name for each in commands for name in _integers(each)}
    before: Command | None = None
    for command in commands:
        yield from _of_variables(command, evaluated)
        yield from _of_command(command, integers)
        if command.piped and before is not None:
            yield from _of_pipe(before, command)
        before = command


def _of_variables(command: Command, evaluated: set[str]) -> Iterator[Refusal]:
    """Look at every `NAME=value`, before a command or given to one (`env`, `export`)."""
    for word in command.words:
        match = _ASSIGNMENT.match(word.shape)
        if match is None or not word.values:
            continue
        if match[1] in _RUN_LATER:
            yield from _all([word], f"the shell runs what `{match[1]}` holds", "set a fixed text")
        for span in word.values:
            if match[1] in evaluated and not is_integer(span):
                message = f"`{match[1]}` is used in arithmetic, where the shell runs what it holds"
                yield Refusal(span, message, "make it a number: ${{ inputs.n | int }}")


def _compared(command: Command) -> Iterator[str]:
    """Yield the variables that `[[ $n -eq 1 ]]` evaluates."""
    texts = [word.text for word in command.words] if command.conditional else []
    for index, text in enumerate(texts):
        if text in _COMPARES:
            for side in texts[max(index - 1, 0) : index + 2]:
                yield from re.findall(r"[A-Za-z_]\w*", side)


def _of_command(command: Command, integers: set[str]) -> Iterator[Refusal]:
    words = list(command.words)
    while words and (match := _ASSIGNMENT.match(words[0].shape)):
        yield from _of_assignment(words.pop(0), match[1], integers)
    while words and words[0].text in _PREFIXES:
        words.pop(0)
    if not words:
        return
    name = _base(words[0])
    if command.conditional or name in ("test", "["):
        yield from _of_test(words, arithmetic=command.conditional)
    elif name in _EVALUATES:
        yield from _all(words[1:], f"`{name}` runs its arguments as a program", _AS_ARGUMENT)
    elif name == "trap":
        yield from _all(words[1:2], "`trap` runs its argument later", "put it in a variable first")
    elif name in _NAMES_ONLY:
        yield from _all(words[1:], f"`{name}` evaluates the names it is given", "use a fixed name")
    elif name in ("printf", "wait"):
        yield from _after(words, {"-v", "-p"}, "a variable's name is evaluated by the shell")
    elif name in _DECLARES:
        yield from _of_declaration(name, words)
    elif name in ("for", "select", "function"):
        yield from _all(words[1:2], f"the name after `{name}` can't be a value", "use a fixed name")
    elif name == "ssh":
        yield from _of_ssh(words)
    for index in range(len(words)):
        yield from _of_interpreter(words[index:])
    yield from _of_input(words, command)


def _base(word: Word) -> str:
    return word.text.rpartition("/")[2]


def _interpreter(word: Word) -> str:
    """Return the name of a program without its folder and version: `python` for python3.12."""
    return re.sub(r"^(python|perl|ruby|lua|php|pypy)[\d.]+$", r"\1", _base(word))


def _all(words: list[Word], message: str, hint: str) -> Iterator[Refusal]:
    for word in words:
        for span in word.values:
            yield Refusal(span, message, hint)


def _after(words: list[Word], options: set[str], message: str) -> Iterator[Refusal]:
    for one, following in pairwise(words):
        if one.text in options:
            yield from _all([following], message, "use a fixed name")


def _of_assignment(word: Word, name: str, integers: set[str]) -> Iterator[Refusal]:
    if name in integers:
        message = f"`{name}` is an integer variable: its value is evaluated"
        yield from _all([word], message, "declare it without -i")


def _integers(command: Command) -> Iterator[str]:
    texts = [word.text for word in command.words]
    if texts and texts[0] in _DECLARES and any(t.startswith("-") and "i" in t for t in texts[1:]):
        yield from (t.split("=")[0] for t in texts[1:] if not t.startswith("-"))


def _of_declaration(name: str, words: list[Word]) -> Iterator[Refusal]:
    options = "".join(word.text for word in words[1:] if word.text.startswith(("-", "+")))
    for word in words[1:]:
        if any(letter in options for letter in "aAin"):
            yield from _all(
                [word],
                f"`{name} {options[:4]}` evaluates what it is given",
                f"use `{name}` without options",
            )
        elif not _ASSIGNMENT.match(word.shape) or "[" in word.shape.split("=")[0]:
            yield from _all(
                [word],
                f"`{name}` evaluates names that it is given",
                f"write `{name} NAME=${{{{ x }}}}`",
            )


def _of_test(words: list[Word], *, arithmetic: bool) -> Iterator[Refusal]:
    for index, word in enumerate(words):
        if arithmetic and word.text in _COMPARES and index:
            hint = f"use `[ ... {word.text} ... ]`"
            for side in (words[index - 1], *words[index + 1 : index + 2]):
                if not all(is_integer(span) for span in side.values):
                    yield from _all([side], f"in `[[ {word.text} ]]` a value is evaluated", hint)
        elif word.text in ("-v", "-R"):
            yield from _all(
                words[index + 1 : index + 2], "a variable's name is evaluated", "use a fixed name"
            )


def _of_interpreter(words: list[Word]) -> Iterator[Refusal]:
    """Look at a word that may name an interpreter, wherever it stands, and at its arguments."""
    name = _interpreter(words[0])
    option = _PROGRAM_OPTION.get(name)
    hint = _HINTS.get(name, _AS_ARGUMENT)
    message = f"this would be program text of `{name}`"
    by_option = False
    if option is not None:
        chosen = list(_after_program_option(name, words, option))
        by_option = bool(chosen)
        yield from _all(chosen, message, hint)
    if name in _PROGRAM_FIRST and not by_option:
        yield from _of_first_operand(name, words, message, hint)
    if name == "sqlite3":
        yield from _all(
            _operands(words, {})[1:], message, "use a python step with bound parameters"
        )


def _after_program_option(name: str, words: list[Word], option: re.Pattern[str]) -> Iterator[Word]:
    """Yield the words that an option of an interpreter takes as a program."""
    skip = wanted = False
    for word in words[1:]:
        text = word.text
        is_option = text.startswith(("-", "+")) and len(text) > 1
        if wanted and not (is_option and name in _SHELLS):
            yield word
            wanted = False
            if name in _SCRIPT_FIRST:
                return
        elif skip:
            skip = False
        elif option.fullmatch(text):
            wanted = True
        elif text.startswith("--") and option.fullmatch(text.split("=", 1)[0]):
            yield word
        elif is_option:
            if VALUE in text and (match := option.match(text)) and match.end() <= 3:
                yield word
            skip = text in _OPTIONS_WITH_ARGUMENT
        elif name in _SCRIPT_FIRST:
            return


def _of_first_operand(name: str, words: list[Word], message: str, hint: str) -> Iterator[Refusal]:
    from_file = _PROGRAM_FROM_FILE.get(name)
    if from_file is None or all(word.text != from_file for word in words):
        yield from _all(_operands(words, _PROGRAM_FIRST[name])[:1], message, hint)


def _operands(words: list[Word], with_arguments: dict[str, int]) -> list[Word]:
    """Return the words that are neither options nor their arguments."""
    found, skip = [], 0
    for word in words[1:]:
        if skip:
            skip -= 1
        elif word.text.startswith("-") and len(word.text) > 1:
            skip = with_arguments.get(word.text, 0)
        else:
            found.append(word)
    return found


def _of_ssh(words: list[Word]) -> Iterator[Refusal]:
    operands: list[Word] = []
    skip = False
    hint = "send it by stdin: printf %s ${{ x }} | ssh host ..."
    for word in words[1:]:
        if skip:
            skip = False
        elif not operands and word.text.startswith("-"):
            skip = bool(_SSH_ARGUMENT.fullmatch(word.text))
            option = word.text[-1:] if skip else word.text[1:2]
            if option in "oFJ":
                at = words.index(word)
                named = [word, *words[at + 1 : at + 2]] if skip else [word]
                yield from _all(named, "this option of `ssh` can name a program", hint)
        else:
            operands.append(word)
    yield from _all(operands[1:], "the shell on the other side reads this as program text", hint)


def _reads_program(words: list[Word]) -> str:
    """Return the interpreter of a command that reads its program from stdin, "" when it doesn't."""
    for index, word in enumerate(words):
        name = _interpreter(word)
        if (
            name == "ssh"
            and len(_operands(words[index:], {"-p": 1, "-i": 1, "-l": 1, "-o": 1})) < 2
        ):
            return name
        if name not in _READS_PROGRAM:
            continue
        texts = [each.text for each in words[index + 1 :]]
        given = any(_PROGRAM_OPTION[name].fullmatch(text) for text in texts)
        if given:
            return ""
        if any(text in ("-s", "-") for text in texts):
            return name
        if not any(not text.startswith("-") for text in texts):
            return name
    return ""


def _of_input(words: list[Word], command: Command) -> Iterator[Refusal]:
    if command.inputs and (name := _reads_program(words)):
        hint = "hand it over as an argument: bash -s -- ${{ x }} <<'EOF'"
        for span in command.inputs:
            yield Refusal(span, f"`{name}` reads this as its program", hint)


def _of_pipe(source: Command, target: Command) -> Iterator[Refusal]:
    name = _reads_program(target.words)
    if name and source.words and _base(source.words[0]) in ("echo", "printf", "cat"):
        spans = [span for word in source.words for span in word.values] + source.inputs
        for span in spans:
            yield Refusal(
                span, f"`{name}` reads this as its program", "hand it over as an argument"
            )
