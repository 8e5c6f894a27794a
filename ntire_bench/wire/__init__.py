"""What crosses between the parent and a worker: frames, requests, replies.

Both sides import it; it runs nothing.

Others import: channel, declaration, messages, observation.
"""
