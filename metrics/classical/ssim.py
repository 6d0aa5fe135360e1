"""Structural similarity on RGB.

SSIM = mean of (2 mx my + C1)(2 sxy + C2) / ((mx^2 + my^2 + C1)(sx^2 + sy^2 + C2)) over Gaussian windows
that lie wholly inside the image; C1 = 0.01^2, C2 = 0.03^2 for values in [0,1]; computed per channel and
averaged. Range [-1, 1], higher is better, 1 for identical images.

Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity.
IEEE Transactions on Image Processing 13(4), 2004. doi:10.1109/TIP.2003.819861

Protocol: the mean of the three colour channels (the paper compares gray images: ``ssim-gray``). With
``downsample`` the images are first averaged over squares of f = max(1, round(shortest side / 256)) pixels,
as the authors recommend for the usual viewing distance; at 288x288 (PIPAL) f is 1 and nothing happens.
Equal to piq to 1e-5 (structure.py), but for shortest sides of 640, 1152, 1664 ... pixels, where piq takes other squares
(planes.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...bench.protocols import MetricInfo
from ..inputs import crop, pair
from ..memory import recall
from .apply import each
from .planes import averaged, square
from .structure import means

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


AVERAGED = 192
"""Shortest side that averaging can leave: 384 pixels, in squares of 2."""


@dataclass(frozen=True)
class SSIM:
    """Structural similarity, mean over RGB."""

    window: int = 11
    """Side of the Gaussian window in pixels; odd."""
    sigma: float = 1.5
    """Standard deviation of the window in pixels."""
    downsample: bool = True
    """Average large images down to a shortest side of about 256 first."""
    crop: int = 0
    """Pixels cut from each side before comparing."""

    info: ClassVar[MetricInfo] = MetricInfo(
        "ssim",
        "SSIM",
        needs="pair",
        better="higher",
        bounds=(-1.0001, 1.0001),
        version=2,
        least=11,
        cite="Wang et al. 2004, doi:10.1109/TIP.2003.819861",
        note="Per RGB channel, averaged; images with a shortest side of 384 or more are averaged down first.",
    )

    def __post_init__(self) -> None:
        check_window("ssim", self.window, self.sigma, self.downsample)

    @property
    def least(self) -> int:
        return self.window + 2 * self.crop

    def __call__(self, images: Tensor, references: Tensor | None = None, /) -> Tensor:
        images, references = pair("ssim", images, references, least=self.window, border=self.crop)

        def planes(image: Tensor) -> Tensor:
            return recall(image, f"crop-{self.crop}", lambda x: crop("ssim", x, self.crop, self.window))

        return structure(images, references, self.window, self.sigma, self.downsample, planes)


def check_window(name: str, window: int, sigma: float, downsample: bool) -> None:
    """Raises ValueError for a window that has no middle pixel or no width, or is wider than averaged images may be."""
    if window < 3 or window % 2 == 0:
        raise ValueError(f"{name}: window={window}; give an odd number of at least 3")
    if not sigma > 0:
        raise ValueError(f"{name}: sigma={sigma}; give a positive number of pixels")
    if downsample and window > AVERAGED:
        raise ValueError(
            f"{name}: window={window}, and images may be averaged down to {AVERAGED} pixels first; "
            "give a smaller window or downsample=False"
        )


def structure(
    images: Tensor,
    references: Tensor,
    window: int,
    sigma: float,
    downsample: bool,
    planes: Callable[[Tensor], Tensor],
    peak: float = 1.0,
) -> Tensor:
    """Mean SSIM of (N,3,H,W) batches in [0,1] -> (N,).

    Args:
        images: (N,3,H,W).
        references: of the same shape.
        window: side of the window in pixels.
        sigma: its standard deviation in pixels.
        downsample: average large images first.
        planes: (1,3,H,W) -> the (1,C,h,w) in [0,peak] to compare; remembered by the caller where it costs.
        peak: largest value of the planes.
    """

    def reduced(image: Tensor) -> Tensor:
        compared = planes(image)
        if downsample and (side := square(compared)) > 1:
            return recall(compared, f"averaged-{side}", lambda whole: averaged(whole, side, "cut"))
        return compared

    return each(lambda x, y: means(reduced(x), reduced(y), window, sigma, peak).whole.mean(), images, references)
