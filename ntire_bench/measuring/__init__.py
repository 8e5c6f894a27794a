"""One session: its phases in order, timed rounds, whose clock is believed, findings on SR images.

Begin with session.py. It has options.py start workers, plan.py decide on rounds, rounds.py do them, and
conclude.py say what they showed.

Others import: options.Options, options.isolation_of, options.start_workers, resolve.compare_elsewhere,
resolve.count, resolve.describe, resolve.file_sha256, resolve.load, outputs.sr_path, session.Session,
side.BaselineError, side.Progress, side.Side, warm_up.note_padding.
"""
