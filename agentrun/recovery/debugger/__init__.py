"""The Debugger: from an incident to a verified fix.

    detect -> gather (incident.py) -> analyse (analysts/) -> propose typed fixes (fixes/)
           -> decide by `autofix` (choice.py) -> apply, verify by the step's next attempt,
           keep or undo -> learn (memory.py) -> else escalate with a report

The runner (runner/debug.py) records each stage; nothing here writes the journal or runs a step.
Whatever a failure's text says is data: no text ever becomes a command, and no fix outside of the
closed set of `fixes/` can be expressed.
"""
