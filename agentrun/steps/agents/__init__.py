"""Agents: one small file per coding-agent CLI, and the model APIs.

| file           | owns                                                                      |
|----------------|---------------------------------------------------------------------------|
| contract.py    | what a CLI's file must offer: `Ask` in, `Launch` out, lines into `Answer` |
| claude.py ...  | one CLI each: its flags, its environment, its JSON                        |
| cli.py         | one attempt with any of them                                              |
| memory.py      | which conversation an attempt continues, and what a lost one had said     |
| prompt.py      | the text an agent is asked with                                           |
| reading.py     | lines of JSON out of a stream                                             |
| workspace.py   | a git worktree per step                                                   |
| prices.py      | what tokens cost, where that is known                                     |
| model_api.py   | one attempt with a model API                                              |
"""
