"""The parent's side of a worker: starts it, asks, checks the answers, ends it.

Others import: worker.Call, worker.Worker, workers.Workers.
"""
