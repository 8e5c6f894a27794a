"""The walls: what a worker sees (view), bubblewrap (L3), namespaces (L2), Landlock (L1), system calls.

Standard library alone: a worker's first process imports this.

Others import: bubblewrap, landlock, namespaces, seccomp, syscalls, view.
"""
