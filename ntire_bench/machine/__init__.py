"""This computer: what it is, which processes there are, what else it was doing. Imports nothing."""
