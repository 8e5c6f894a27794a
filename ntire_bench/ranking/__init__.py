"""From records to ranked rows.

`selection` chooses the records that may be ranked together (`groups`) and says why others are left out
(`left_out`). `entry` takes from a record what is ranked, `session` the ratio that is scored. `scoring`
computes scores and compares PSNR with the thresholds. `ranks` orders the rows, and `noise` says what is tied.
`board` puts the table together, with notes for its reader (`board_notes`); `stored` does so for a results
folder, with what is believed of it: `trust` has `verification` find out whether a record's figures follow
from each other. `gate` compares one record with the thresholds. `reference` reads published tables.

Others import: board, board_notes, entry, gate, device_class, left_out.LeftOut, ranks.Row, scoring,
stored, trust.
"""
