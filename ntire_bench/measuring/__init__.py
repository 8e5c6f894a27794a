"""One session: the order of its phases, rounds, clocks, and what is found out about the SR images."""
