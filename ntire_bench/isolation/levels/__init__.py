"""The walls: which files are seen, bubblewrap (L3), namespaces (L2), landlock (L1), system calls."""
