"""Counts parameters and FLOPs, and watches what a forward pass really does."""
