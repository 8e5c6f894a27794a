"""A network in a worker: its weights, one call of it, its time, its pixels, its device; and what it lacks.

Others import: checkpoint, device, packages, pixels.to_tensor, pixels.write_planes, state_dict.StateDict,
state_dict.state_dicts, timing, upscaler.Upscaler, upscaler.blame, upscaler.ready, upscaler.wants_gpu.
"""
