"""The challenge's own results.json and results.txt, read and written."""
