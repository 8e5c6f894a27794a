"""A network in a worker: its weights, one call of it, its time, its pixels, its device."""
