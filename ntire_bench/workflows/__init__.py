"""What a command does from end to end: evaluate, campaign (run), check, rehearse, declare, fuse.

The commands in cli/ and the Python API only parse, call these, and print.

Others import: campaign, check, data, declare, evaluate, fuse, options.options_for, rehearse.
"""
