"""How an SR image is judged against its HR image: PSNR (psnr.py) and SSIM (ssim.py), on Y and on RGB.

Others import: psnr, ssim.
"""
