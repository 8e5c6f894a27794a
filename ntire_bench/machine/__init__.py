"""This computer: what it is, which processes there are, what else it did while rounds ran.

A worker's first process imports processes.py, which uses the standard library alone.

Others import: cpu_time.FamilyTime, cpu_time.TICK_S, environment, gpu_fit.fit, gpu_memory.GpuMemory,
installed, monitor.CpuShare, monitor.GpuTrace, processes, resources.
"""
