"""Adjustments: what is changed about a step so that its next attempt is not the last one again.

One file per strategy, each a pure function `(step, state, failure, task) -> Adjustment | None`;
table.py names those that are asked for the failure's kind. An `Adjustment` is an event's data:
visible in the journal, in force for all later attempts of the step until a fallback is taken.

The keys of `Adjustment.change` are this closed set; `apply.adjusted` gives them their meaning:

| key               | value        | meaning for the next attempts                                |
|-------------------|--------------|--------------------------------------------------------------|
| `prompt_addition` | text         | stands below the agent's prompt                              |
| `last_error`      | text         | the complaint the command finds in `AGENTRUN_LAST_ERROR`     |
| `timeout_s`       | seconds      | replaces `timeout`                                           |
| `idle_timeout_s`  | seconds      | replaces `idle_timeout`                                      |
| `max_parallel`    | number       | at most so many items of the `for_each` at once              |
| `input_share`     | 0 < x < 1    | prompt and `stdin` are cut to this share of their length     |
| `clean_input`     | true         | byte-order marks, control characters, broken UTF-8 go        |
| `model`           | name         | the agent's model                                            |
| `run`             | command      | a declared remedy, run before the attempt                    |
| `tmp_in_state`    | true         | `TMPDIR` is a folder in the step's own state folder          |
| `env`             | name: text   | further environment                                          |
| `with`            | name: value  | other parameters in `with`                                  |
| `edit`            | path old new | a text replaced in a file, undone when the attempt fails    |
| `spec`            | key: value   | further keys of the step kind's own; a map is merged one deep |
"""
