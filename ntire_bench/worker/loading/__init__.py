"""From a model file and its checkpoint to a network that is ready to run.

Others import: cuda_on_cpu.answer_on_cpu, load.Loaded, load.load, kernel_build, kernels, own_files,
trial_image.reduced, twin.run_twin.
"""
