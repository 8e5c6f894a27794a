"""What a command does from end to end: evaluate, campaign (run), check, rehearse, declare, fuse.

The commands in cli/ and the Python API only parse, call these, and print. `campaign` is `run`, with
`resume` for --resume; `check` is `check`, with `declare` for --write and --set, and `rehearse` for
--strict.

Others import: campaign, check, data, declare, evaluate, fuse, options.options_for, rehearse.
"""
