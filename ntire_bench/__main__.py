"""Makes `python -m ntire_bench` the same as `ntire-bench`."""

from ntire_bench.cli import main

if __name__ == "__main__":
    main(prog_name="ntire-bench")
