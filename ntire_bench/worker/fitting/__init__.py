"""Finds the constructor arguments with which a class takes a checkpoint."""
