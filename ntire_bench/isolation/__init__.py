"""Starts a process behind walls, watches it, ends it with all that it has started.

choose.py finds the best level of isolation that this machine has; levels/ holds the walls; what runs in the
child before any strange code is in inside/. This file imports nothing: a worker's first process begins here.

Others import: advice.for_next_level, choose.isolation_for, choose.lost, limits.Limits,
limits.gpu_share_bytes, limits.met, limits.tensors_share_bytes, spawn.spawn, watch.Watch.
"""
