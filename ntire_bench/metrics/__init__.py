"""How an SR image is judged against its HR image: PSNR and SSIM, on Y and on RGB."""
