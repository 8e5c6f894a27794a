"""Has costs counted again, at sizes that a submission cannot know, and judges them.

`auditor` asks the worker, `witness` compares its images with another process's, `flops` judges FLOPs, `rules`
all else, `twin` compares a kernel with its twin, `literals` what is written into the code, `evidence` holds
what was seen.

Others import: auditor.audit, literals.numbers_in, literals.with_numbers, twin, witness.Witness,
witness.agreement_of, witness.disagreement, witness.with_agreement.
"""
