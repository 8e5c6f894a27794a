"""The challenge's own results.json and results.txt: read, turned into records, and written.

`file` reads either of them, `table` reads and writes results.txt, `row` checks the numbers of one row, and
`to_records` makes records of the rows.

Others import: file, table, to_records.
"""
