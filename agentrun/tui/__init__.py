"""The interactive view of `agentrun debug`: a task's events, and all that is known at each of them.

Owns what is shown where and which key does what. What it shows comes from the same functions as the
printed pages (report/), which make foreign text harmless; here it is never read as markup. Only
looks: a fix that is chosen goes back to the command, which applies it as `--apply` does. The one
room that imports Textual, an extra (`[tui]`).
"""
