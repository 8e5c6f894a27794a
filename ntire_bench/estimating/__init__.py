"""From runtimes to numbers: medians, the ratio, 95 % intervals, when there are enough rounds.

bootstrap.py computes the numbers, stopping.py decides when to stop, steadiness.py judges the calls of a
session, stability.py those of a stored record.

Others import: bootstrap.Estimate, bootstrap.Samples, bootstrap.bootstrap, bootstrap.interval,
bootstrap.medians, bootstrap.runtime_ms, bootstrap.student_t, defaults, stability.Stability,
stability.stability, steadiness, stopping.
"""
