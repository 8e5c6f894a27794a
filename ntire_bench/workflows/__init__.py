"""What a command does from end to end: evaluate, campaign (run), check, rehearse, declare, fuse, begin (new).

The commands in cli/ and the Python API only parse, call these, and print. `campaign` is `run`, with
`resume` for --resume; `check` is `check`, with `declare` for --write and --set, and `rehearse` and
`verdict` for --strict.

Others import: begin, campaign, check, data, declare, evaluate, fuse, options, rehearse, verdict.
"""
