"""Where agentrun starts, and the one error boundary.

`--version` is answered before anything is imported. Whatever a user or the world did ends in a
message, a hint and the exit code of SPEC; a traceback means a bug of agentrun itself (exit 70,
EX_SOFTWARE).
"""

import sys

FAILED = 1
REFUSED = 2
BUG = 70
INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process and exit."""
    _open_closed_streams()
    code = run(sys.argv[1:])
    if "agentrun.lean" in sys.modules:
        from agentrun import lean

        lean.leave()
    sys.exit(code)


def run(args: list[str]) -> int:
    """Run a command line and return its exit code."""
    try:
        if args == ["--version"]:
            return _version()
        return _told(args)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _silence()
    except OSError as error:  # from the outside world, and nobody closer knew what to say about it
        return _stop(error)
    except Exception:  # noqa: BLE001 - the boundary: a bug is told as one
        return _bug()


def _told(args: list[str]) -> int:
    """Run a command line; report what it refused, and whether its output got lost."""
    from agentrun.errors import AgentrunError

    try:
        code = _execute(args)
    except AgentrunError as error:
        from agentrun.cli.refusal import tell

        code = tell(error, args)
    from agentrun.report import screen

    lost = screen.lost_output()
    return code if lost is None else code or _stop(lost)


def _execute(args: list[str]) -> int:
    from agentrun import lean

    lean.prepare()
    from agentrun.cli import direct

    code = direct.execute(args)
    if code is None:
        from agentrun.cli import main as typed

        code = typed.execute(args)
    return code


def _version() -> int:
    from agentrun import __version__

    sys.stdout.write(f"agentrun {__version__}\n")
    sys.stdout.flush()
    return 0


def _open_closed_streams() -> None:
    """Open the standard streams that the caller has closed (`>&-`): otherwise the next file that is
    opened, perhaps a journal, would become one of them.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            import os

            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _stop(error: OSError) -> int:
    """Say what in the outside world kept agentrun from going on."""
    import os

    from agentrun.report import screen

    try:
        os.getcwd()
    except FileNotFoundError:
        screen.stderr().line("error: the folder you are in is gone\n  hint: cd to another one")
        return REFUSED
    screen.stderr().line(f"error: {error.filename or 'stdout'}: {error.strerror or error}")
    screen.stdout().give_up()
    return FAILED


def _silence() -> int:
    """Stdout was closed by its reader: end quietly."""
    from agentrun.report import screen

    screen.stdout().give_up()
    return 0


def _bug() -> int:
    import traceback

    traceback.print_exc()
    sys.stderr.write(
        "\nagentrun: this is a bug in agentrun, not something you did.\n"
        "  Please report it with the lines above. Checkpoints are complete up to the last event.\n"
    )
    return BUG


if __name__ == "__main__":
    main()
