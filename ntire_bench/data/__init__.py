"""LR and HR images: PNG files, splits, the sample set, MATLAB's bicubic, the cache of decoded pixels.

dataset.py finds and checks the image pairs of a split, images.py reads and writes single images, prepare.py
makes LR images.

Others import: cache_dir, dataset.Pair, dataset.Split, dataset.load_splits, dataset.read_hr,
dataset.read_lr, images, nearby, prepare, sample.
"""
