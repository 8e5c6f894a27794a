"""From records to ranked rows.

`selection` chooses the records that may be ranked together (`groups`) and says why others are left out
(`left_out`). `entry` takes from a record what is ranked, `session` the ratio that is scored. `scoring`
computes scores and compares PSNR with the thresholds. `ranks` orders the rows, and `noise` says what is tied.
`board` puts the table together, with notes for its reader (`board_notes`); `stored` does so for a results
folder, with what is believed of it: `trust` has `verification` find out whether a record's figures follow
from each other. `rules` says what a record keeps of its rules, and by which others it may be ranked; `anew`
says who moves then. `gate` compares one record with the thresholds, and `growth` a change with its limits.
`comparing` puts two evaluations beside each other. `reference` reads published tables, `named` finds them
and those that a user keeps, and `standing` says where a network would stand in one.

Others import: anew, board, board_notes, comparing, crop.Crop, entry, gate, growth, device_class,
left_out.LeftOut, limits.Limits, named, ranks.Row, rules, scoring, standing, stored, trust.
"""
