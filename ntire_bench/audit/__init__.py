"""Has costs counted again, at sizes that a submission cannot know, and judges them.

Others import: auditor.audit.
"""
