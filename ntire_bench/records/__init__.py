"""What is stored of an evaluation.

`record` defines every field, `store` writes and reads the JSON files, and `scored_costs` says which of the
counted FLOPs and parameters are scored.

Others import: record, scored_costs, store.
"""
