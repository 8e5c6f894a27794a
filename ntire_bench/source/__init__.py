"""Reads files and syntax trees that strangers wrote; runs nothing of them."""
