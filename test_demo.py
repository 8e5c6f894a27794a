"""Evaluates one submission with the challenge's flags: python test_demo.py --model_id 0.

Same command as `ntire-bench run`; see there, or `python test_demo.py --help`.
"""

from ntire_bench.__main__ import test_demo as demo  # a name that pytest does not take for a test

if __name__ == "__main__":
    demo()
