"""Who evaluates which team now, on a folder that several machines share.

`desk` takes and reads claims, `held` keeps one while an evaluation lasts, `holder` says what this process is,
`turn` is what is stored, and `exclusive` creates a file that only one machine can create.

Others import: desk.Desk, desk.claims_folder, exclusive.replace, exclusive.writing, held.Held, holder.NODE,
nodes, turn.Asked, turn.Turn.
"""
