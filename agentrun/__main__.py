"""Where agentrun starts, and the one error boundary.

`--version` is answered before anything is imported. Whatever a user or the world did ends in a
message, a hint and the exit code of SPEC; a traceback means a bug of agentrun itself (exit 70,
EX_SOFTWARE).
"""

import sys

BUG = 70
INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process and exit."""
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """Run a command line and return its exit code."""
    if args == ["--version"]:
        return _version()
    from agentrun.errors import AgentrunError

    try:
        return _execute(args)
    except AgentrunError as error:
        return _refuse(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _silence()
    except Exception:  # noqa: BLE001 - the boundary: a bug is told as one
        return _bug()


def _execute(args: list[str]) -> int:
    from agentrun.cli import direct

    code = direct.execute(args)
    if code is None:
        from agentrun.cli import main as typed

        code = typed.execute(args)
    return code


def _version() -> int:
    from agentrun import __version__

    try:
        sys.stdout.write(f"agentrun {__version__}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return _silence()
    return 0


def _refuse(error: "AgentrunError") -> int:  # type: ignore[name-defined]  # noqa: F821
    from agentrun.cli.refusal import tell

    return tell(error)


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
