"""The untrusted process: strangers' code and torch run here, and nowhere else.

`serve` answers the parent's requests; client/sandbox.py names it as what the process runs. Its folders:
`network` has one call of a network (timing, padding, tiles), `loading` makes a network of files (input
range, packages that are missing), `fitting` finds constructor arguments, `checkout` has a branch and its
loop, `costs` counts parameters and FLOPs.

Others import nothing.
"""
