"""`agentrun schema`: the JSON Schema of workflow files, for editors."""

EXAMPLES = """
agentrun schema > .agentrun.schema.json
# first line of a workflow, for editors with the YAML language server:
# yaml-language-server: $schema=.agentrun.schema.json
"""


def schema_command() -> int:
    """Print the JSON Schema of workflow files.

    With it, an editor can complete and explain every key. Point the editor to it by a first line
    `# yaml-language-server: $schema=FILE` in the workflow.
    """
    from json import dumps

    from agentrun.report import screen
    from agentrun.workflow.json_schema import json_schema

    screen.stdout().line(dumps(json_schema(), ensure_ascii=False, indent=2))
    return 0
