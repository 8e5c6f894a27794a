"""A campaign on several GPUs or nodes: one evaluation each, asked of an engine that exists.

`driver` asks an engine for a job per team until every team has a record. An engine (`local`, `slurm`) starts
a command and says whether it still runs, and knows nothing of measuring. `settings` reads fleet.toml,
`anchor` leaves out nodes that are not as fast as their class, `progress` says how far each team is.

Others import: anchor.Anchors, driver.Driver, driver.Team, engines.engine_for, job.PROGRAM, job.command,
progress, settings.
"""
