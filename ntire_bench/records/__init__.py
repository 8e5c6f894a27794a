"""What is stored of an evaluation.

`record` defines every field, `store` writes and reads the JSON files, `index` spares reading them again, and
`scored_costs` says which of the counted FLOPs and parameters are scored. `accepted` holds an organizer's word
on a finding, and `signing` an organizer's signature. `operational` says which findings are on the machine,
and `unproven` whether timed calls were compared with anything. `version_1` makes the runtimes of old records
plain.

Others import: accepted, index, operational, record, scored_costs, signing, store, unproven, version_1.
"""
