"""From a workflow file to a checked `Workflow`, and from `${{ }}` to values."""
