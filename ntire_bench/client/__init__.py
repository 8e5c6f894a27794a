"""The parent's side of a worker: asks, checks the answer, ends it."""
