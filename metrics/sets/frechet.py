"""Fréchet distance between two Gaussians, by eigenvalues.

d^2 = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).

S1 S2 is similar to the symmetric S1^(1/2) S2 S1^(1/2), so the trace of its square root is the sum of the
square roots of that matrix's eigenvalues: real, never negative, no matrix square root of an unsymmetric
matrix, no complex residue and no constant added to the diagonal.

Dowson, Landau: The Fréchet distance between multivariate normal distributions. Journal of Multivariate
Analysis 12(3), 1982. doi:10.1016/0047-259X(82)90077-X
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


def frechet(mean1: Tensor, covariance1: Tensor, mean2: Tensor, covariance2: Tensor) -> float:
    """Squared Fréchet distance, at least 0.

    Args:
        mean1: (D,).
        covariance1: (D,D), symmetric, positive semi-definite up to rounding.
        mean2: (D,).
        covariance2: (D,D), likewise.

    Raises:
        ValueError: shapes that do not belong together, or values that are not finite.
    """
    import torch

    mean1, mean2, covariance1, covariance2 = (
        torch.as_tensor(x, dtype=torch.float64) for x in (mean1, mean2, covariance1, covariance2)
    )
    size = mean1.numel()
    shapes = [tuple(x.shape) for x in (mean1, covariance1, mean2, covariance2)]
    if shapes != [(size,), (size, size)] * 2:
        raise ValueError(f"means and covariances have shapes {shapes}; pass (D,), (D,D), (D,), (D,D) of one D")
    if not all(bool(x.isfinite().all()) for x in (mean1, mean2, covariance1, covariance2)):
        raise ValueError("means or covariances hold values that are not finite; check the features")
    return Gaussian(mean1, covariance1, _root(covariance1)).distance(mean2, covariance2)


class Gaussian(NamedTuple):
    """Moments with the square root of the covariance, which is half of the work for every distance to it."""

    mean: Tensor
    covariance: Tensor
    root: Tensor

    def distance(self, mean: Tensor, covariance: Tensor) -> float:
        """Squared Fréchet distance to another Gaussian; float64, shapes as in ``frechet``."""
        import torch

        inner = self.root @ covariance @ self.root
        eigenvalues = torch.linalg.eigvalsh((inner + inner.T) / 2)
        cross = eigenvalues.clamp_min(0).sqrt().sum()
        answer = (self.mean - mean).square().sum() + self.covariance.trace() + covariance.trace() - 2 * cross
        return max(0.0, float(answer))  # rounding leaves about -1e-10 for equal Gaussians


def gaussian(features: Tensor) -> Gaussian:
    """(N,D) -> the Gaussian of its moments."""
    mean, covariance = moments(features)
    return Gaussian(mean, covariance, _root(covariance))


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """(N,D) -> mean (D,) and unbiased covariance (D,D), float64."""
    import torch

    features = features.double()
    return features.mean(dim=0), torch.cov(features.T).reshape(features.shape[1], features.shape[1])


def _root(matrix: Tensor) -> Tensor:
    """Symmetric square root; eigenvalues below 0 are rounding errors and become 0."""
    import torch

    eigenvalues, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * eigenvalues.clamp_min(0).sqrt()) @ vectors.T
