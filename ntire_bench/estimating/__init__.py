"""From runtimes to numbers: medians, the ratio, 95 % intervals, when there are enough rounds."""
