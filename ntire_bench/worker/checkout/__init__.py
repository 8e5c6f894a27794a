"""From a branch of a checkout to a network, and to the part of its loop that runs it."""
