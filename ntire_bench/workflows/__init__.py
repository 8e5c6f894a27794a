"""What a command does from end to end: evaluate, campaign (run), check, declare, fuse, begin (new), doctor.

The commands in cli/ and the Python API only parse, call these, and print. `campaign` is `run`, with
`resume` for --resume; `check` is `check`, with `declare` for --write and --set, and `rehearse` and
`verdict` for --strict. `doctor` says what a machine gives; `foresee` what a campaign takes (`speed`,
`estimate`). `crops` finds where SR images of two submissions differ.

Others import: begin, campaign, check, claimed, crops, data, declare, doctor, estimate, evaluate, foresee,
fuse, intake, lost_job, options, pack, rehearse, verdict.
"""
