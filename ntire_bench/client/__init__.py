"""The parent's side of a worker: starts it, asks, checks the answers, ends it.

`worker` asks, `answers` checks, `sandbox` is the process, `workers` has those of one launch.

Others import: worker.Call, worker.Worker, workers.Workers.
"""
