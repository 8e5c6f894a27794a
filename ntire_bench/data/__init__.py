"""LR and HR images: PNG files, splits, the sample set, MATLAB's bicubic, the cache of decoded pixels.

dataset.py finds and checks the image pairs of a split, images.py reads and writes single images, prepare.py
makes LR images, and noise.py noisy ones. manifest.py says what the images of a folder are, and
manifest_files.py compares.

Others import: cache_dir, dataset.Pair, dataset.Split, dataset.load_splits, dataset.read_hr,
dataset.read_lr, images, manifest, manifest_files, nearby, png.encode_png, prepare, sample.
"""
