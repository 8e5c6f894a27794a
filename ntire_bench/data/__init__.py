"""LR and HR images: PNG files, splits, the sample set, MATLAB's bicubic, the cache of decoded pixels."""
