"""Has costs counted again, at sizes that a submission cannot know, and judges them.

`auditor` asks the worker, `flops` judges FLOPs, `rules` all else, `literals` what is written into
the code, `evidence` holds what was seen.

Others import: auditor.audit, literals.numbers_in, literals.with_numbers.
"""
