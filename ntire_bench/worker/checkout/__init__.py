"""A branch of a challenge's checkout to a network: its own select_model builds it, its own loop runs it.

Which branches there are is read by submissions/checkout. Strangers' code runs here. `load` is where to
begin; `loop` and `slicer` cut out the part of the loop that leads from the LR tensor to the SR image.

Others import: load.load.
"""
