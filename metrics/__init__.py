"""Metrics: one file each, found by name. Listing them imports nothing heavy.

``BUILTIN`` and ``EXTRACTORS`` map a name to ``module:attribute`` below ``ganiq``; ``bench.registry`` reads
them. A metric is a small frozen dataclass: its fields are its parameters, ``info`` says what its number
means, and calling it turns images (N,3,H,W) in [0,1] into N numbers.
"""

from __future__ import annotations

BUILTIN: dict[str, str] = {
    "mse": "metrics.classical.mse:MSE",
    "psnr": "metrics.classical.psnr:PSNR",
    "psnr-y": "metrics.classical.psnr_y:PSNRLuma",
    "ssim": "metrics.classical.ssim:SSIM",
    "ssim-y": "metrics.classical.ssim_y:SSIMLuma",
    "ssim-gray": "metrics.classical.ssim_gray:SSIMGray",
    "ms-ssim": "metrics.classical.ms_ssim:MSSSIM",
    "iw-ssim": "metrics.classical.iw_ssim:IWSSIM",
    "vifp": "metrics.classical.vifp:VIFp",
    "fsim": "metrics.classical.fsim:FSIM",
    "fsimc": "metrics.classical.fsimc:FSIMc",
    "sr-sim": "metrics.classical.sr_sim:SRSIM",
    "gmsd": "metrics.classical.gmsd:GMSD",
    "ms-gmsd": "metrics.classical.ms_gmsd:MSGMSD",
    "ms-gmsdc": "metrics.classical.ms_gmsdc:MSGMSDc",
    "vsi": "metrics.classical.vsi:VSI",
    "dss": "metrics.classical.dss:DSS",
    "haarpsi": "metrics.classical.haarpsi:HaarPSI",
    "mdsi": "metrics.classical.mdsi:MDSI",
    "tv": "metrics.classical.tv:TotalVariation",
    "niqe": "metrics.classical.niqe:NIQE",
    "brisque": "metrics.classical.brisque:BRISQUE",
    "lpips-alex": "metrics.learned.lpips_alex:LPIPSAlex",
    "lpips-vgg": "metrics.learned.lpips_vgg:LPIPSVGG",
    "lpips-squeeze": "metrics.learned.lpips_squeeze:LPIPSSqueeze",
    "st-lpips-alex": "metrics.learned.st_lpips_alex:STLPIPSAlex",
    "st-lpips-vgg": "metrics.learned.st_lpips_vgg:STLPIPSVGG",
    "dists": "metrics.learned.dists:DISTS",
    "pieapp": "metrics.learned.pieapp:PieAPP",
    "fid": "metrics.sets.fid:FID",
    "kid": "metrics.sets.kid:KID",
    "fd-efflite0": "metrics.sets.fd_efflite0:FDEfficientNetLite0",
    "kd-efflite0": "metrics.sets.kd_efflite0:KDEfficientNetLite0",
}

EXTRACTORS: dict[str, str] = {
    "inception-fid": "metrics.sets.inception:InceptionFID",
    "efficientnet-lite0": "metrics.sets.efficientnet:EfficientNetLite0",
}
