"""A network in a worker: its weights, one call of it, its time, its pixels, its device.

`upscaler` pads and tiles, `timing` has the one timed call, `packages` says what to install.

Others import: checkpoint, device, packages, pixels.to_tensor, pixels.write_planes, state_dict.StateDict,
state_dict.state_dicts, timing, upscaler.Upscaler, upscaler.blame, upscaler.ready, upscaler.wants_gpu.
"""
