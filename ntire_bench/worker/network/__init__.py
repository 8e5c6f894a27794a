"""A network in a worker: its weights, one call of it, its time, its pixels, its device.

`upscaler` pads and tiles, `timing` has the one timed call, `transfer` brings pixels to a device and back,
`packages` says what to install.

Others import: checkpoint, device, merging.NAMES, merging.merging_methods, packages, pixels.to_tensor,
state_dict.StateDict, state_dict.state_dicts, timing, transfer.transfer_for, upscaler.Upscaler,
upscaler.blame, upscaler.ready, upscaler.wants_gpu.
"""
