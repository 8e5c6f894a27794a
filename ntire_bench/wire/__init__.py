"""What crosses between the parent and a worker: frames, requests and replies.

Both sides import it, and it runs nothing of a stranger's.

Others import: channel, declaration.Declaration, declaration.TILE_OVERLAP, declaration.toml_value, messages,
observation.Observation.
"""
