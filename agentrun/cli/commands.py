"""The list of commands: name, where its body is, and one line of help.

A command's module is imported when the command is used, or its own help is asked for: the list
below is all that `agentrun --help` and the completion of a command's name need.
"""

from typing import NamedTuple


class Entry(NamedTuple):
    """A command: `target` is `module:function`; `group` is the heading it is listed under."""

    target: str
    help: str
    group: str


CORE, STEER, WRITE, KNOW = "Run", "Steer", "Write", "Look"

COMMANDS: dict[str, Entry] = {
    "run": Entry("agentrun.cli.run:run_command", "Run a workflow.", CORE),
    "resume": Entry(
        "agentrun.cli.resume:resume_command", "Go on with a task where it stopped.", CORE
    ),
    "inspect": Entry(
        "agentrun.cli.inspect:inspect_command", "Show a task at any moment of its life.", CORE
    ),
    "debug": Entry(
        "agentrun.cli.debug:debug_command", "Explain why a task failed and what to do.", CORE
    ),
    "list": Entry("agentrun.cli.list:list_command", "List tasks, newest first.", KNOW),
    "logs": Entry("agentrun.cli.logs:logs_command", "Show what steps printed.", KNOW),
    "stats": Entry(
        "agentrun.cli.stats:stats_command",
        "Show how often steps fail, and how well they recover.",
        KNOW,
    ),
    "classify": Entry("agentrun.cli.classify:classify_command", "Explain one failure.", KNOW),
    "approve": Entry(
        "agentrun.cli.approve:approve_command", "Answer a step that waits for a person.", STEER
    ),
    "cancel": Entry("agentrun.cli.cancel:cancel_command", "Stop a task, from any terminal.", STEER),
    "fork": Entry(
        "agentrun.cli.fork:fork_command", "Copy a task at one moment into a new one.", STEER
    ),
    "clean": Entry("agentrun.cli.clean:clean_command", "Remove old tasks.", STEER),
    "init": Entry(
        "agentrun.cli.init:init_command", "Start a workflow from a template that runs.", WRITE
    ),
    "validate": Entry(
        "agentrun.cli.validate:validate_command", "Find every mistake in a workflow.", WRITE
    ),
    "graph": Entry("agentrun.cli.graph:graph_command", "Draw a workflow.", WRITE),
    "schema": Entry(
        "agentrun.cli.schema:schema_command",
        "Print the JSON Schema of workflow files, for editors.",
        WRITE,
    ),
    "doctor": Entry(
        "agentrun.cli.doctor:doctor_command", "Check what a run would need, before it runs.", WRITE
    ),
}
