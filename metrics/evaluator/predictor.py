"""A trained evaluator as a file: one safetensors file whose metadata say what network it fills and how it is asked.

Protocol: RGB in [0,1], no resizing; crops of the training's size and the mean of their scores. The file says how many:
five are the corners and the centre, 0 stands for as many as cover the image, evenly spread (a network that judges
several patches together is shown the four corners, or the five crops and their mirror images, as it was built for).
Smaller images are extended by reflection. A network may say that it sees images whole up to a side: then crops of that
side cover what is larger, and only what has fewer than 64 pixels is extended. Each image is scored by itself, in
evaluation mode, without random numbers; the answer is in the units of the labels, higher is better.
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...bench.weights import BadWeights, check_borrowed, load_strict
from ..inputs import single
from ..memory import recall
from .moments import LEAST
from .views import Views

if TYPE_CHECKING:
    from torch import Tensor

FORM = "evaluator/1"
AT_ONCE = 8
"""Crops that go through the network together: large images need no more memory than small ones."""
_serial = count()
"""What is remembered belongs to one network; a number is never given twice."""
_ADVICE = "use a file that `ganiq` exported from a trained evaluator"


class Predictor:
    """Images, and references where the network compares -> scores."""

    def __init__(self, source: str | Path | bytes, device: str = "cpu") -> None:
        """
        Args:
            source: the checkpoint, by its path or its content.
            device: where it is to run.

        Raises:
            BadWeights: not such a file, or tensors that do not fit the network its metadata name, or a slot that holds
                other weights than it was trained with.
            MissingWeights: it works with weights that it leaves to a slot, and the slot is empty.
        """
        import torch

        from ...bench.weights.load import tensors_from
        from .build import network
        from .parts_net import hasten

        data, name = (source, "the evaluator") if isinstance(source, bytes) else _content(Path(source))
        self.metadata = metadata(data, name)
        """Everything the trainer wrote about this evaluator, as text."""
        spec, label, crop = (_parsed(self.metadata, key, name) for key in ("network", "label", "crop"))
        spec.pop("aux", None)  # what the trainer showed it: the role says as much
        try:
            with torch.random.fork_rng(devices=[]):  # parameters are drawn and then all replaced
                module: Any = network(spec, blank=True)
            self.unit, self.offset, self.crop = float(label["unit"]), float(label["offset"]), int(crop)
            self.crops = int(self.metadata.get("crops", 5))
        except (ValueError, TypeError, KeyError) as error:
            raise BadWeights("E-CKPT-FORMAT", name, f"its metadata name no network ({error})", _ADVICE) from None
        check_borrowed(self.metadata.get("borrowed"), module.borrowed, name=name)
        load_strict(module, tensors_from(data, name), name=name)
        self.network = hasten(module).to(device)
        self.device = device
        self.serial = next(_serial)

    @property
    def role(self) -> str:
        """What the network needs beside the image; see base_net.py."""
        return self.network.role

    def score(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """(N,3,H,W) in [0,1] -> (N,).

        Raises:
            TypeError: not floating-point tensors.
            ValueError: wrong shape or range, or no references for a network that compares.
        """
        import torch

        name = f"evaluator ({self.role})"
        images = single(name, images, dtype=torch.float32)
        others: list[Tensor | None] = [None] * len(images)
        if self.network.needs_aux:
            if references is None:
                raise ValueError(f"{name} compares images with references, and none were given; pass both")
            references = single(name, references, dtype=torch.float32)
            same = images.shape if self.role != "NAR" else (len(images), 3, *references.shape[2:])
            if references.shape != same:
                raise ValueError(
                    f"{name}: images are {tuple(images.shape)} and references {tuple(references.shape)}; "
                    "pass batches of one shape"
                )
            # A batch of one is handed on as it is, so that what is remembered about that tensor is found.
            others = [references] if len(references) == 1 else [*references.split(1)]
        with torch.no_grad():
            found = [self._one(image, other) for image, other in zip(images, others)]
        return torch.stack(found) if found else images.new_zeros(0)

    def _one(self, image: Tensor, reference: Tensor | None) -> Tensor:
        import torch

        x = self._views(image)
        if reference is None:
            said = [self.network(Views(part))["score"] for part in x.split(AT_ONCE)]
        elif self.role == "FR" and self.network.trunk:  # the reference alone decides what the frozen trunk says of it
            known = recall(reference, f"evaluator-{self.serial}", self._maps)
            parts = zip(x.split(AT_ONCE), *(tap.split(AT_ONCE) for tap in known))
            said = [self.network(Views(part, aux_features=taps))["score"] for part, *taps in parts]
        else:
            other = self._views(reference[0])
            said = [self.network(Views(*two))["score"] for two in zip(x.split(AT_ONCE), other.split(AT_ONCE))]
        return (torch.cat(said).mean() * self.unit + self.offset).to(image.device)

    def _views(self, image: Tensor) -> Tensor:
        """Crops as so many samples of one patch, or as the patches of one sample."""
        patches, largest = self.network.patches, self.network.largest
        side = frame(image, largest) if largest else self.crop
        return crops(image.to(self.device), side, patches or self.crops).unsqueeze(1 if patches is None else 0)

    def _maps(self, reference: Tensor) -> list[Tensor]:
        import torch

        views = self._views(reference[0])
        found = [self.network.extract(part.flatten(0, 1)) for part in views.split(AT_ONCE)]
        return [torch.cat(taps).unflatten(0, views.shape[:2]) for taps in zip(*found)]


def crops(image: Tensor, side: int | tuple[int, int], count: int = 5) -> Tensor:
    """(3,H,W) -> (count,3,side,side) or (count,3,*side): corners, centre, then the mirror images of these five.

    A single one is the centre; 0 stands for the fewest that leave no pixel out, evenly spread.

    Raises:
        ValueError: more than ten.
    """
    import torch

    if not 0 <= count <= 10:
        raise ValueError(f"there are 10 fixed crops, and {count} were asked for")
    height, width = (side, side) if isinstance(side, int) else side
    image = extended(image, (height, width))
    down, right = image.shape[1] - height, image.shape[2] - width
    places = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    if count == 1:
        places = places[-1:]
    elif not count:
        places = [(y, x) for y in _spread(down, height) for x in _spread(right, width)]
        count = len(places)
    found = [image[:, y : y + height, x : x + width] for y, x in places]
    return torch.stack([*found, *(crop.flip(-1) for crop in found)][:count])


def frame(image: Tensor, largest: int) -> tuple[int, int]:
    """Height and width of the crops of an image (3,H,W) that is seen whole up to ``largest``."""
    height, width = (min(largest, max(n, LEAST)) for n in image.shape[1:])
    return height, width


def _spread(room: int, side: int) -> list[int]:
    steps = -(-room // side)
    return [round(room * n / steps) for n in range(steps + 1)] if steps else [0]


def extended(image: Tensor, sides: tuple[int, int]) -> Tensor:
    """An image of at least that height and width, by reflection at its borders, on both sides alike."""
    import torch

    for axis, side in enumerate(sides, 1):
        size = image.shape[axis]
        missing = max(side - size, 0)
        if missing:
            place = torch.arange(-(missing // 2), size + missing - missing // 2, device=image.device)
            period = max(2 * (size - 1), 1)
            place = place % period
            image = image.index_select(axis, torch.minimum(place, period - place) if size > 1 else place * 0)
    return image


def metadata(data: bytes, name: str) -> dict[str, str]:
    """What is written into the head of a safetensors file.

    Raises:
        BadWeights: not a safetensors file, or not one of an evaluator.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        head = json.loads(data[8 : 8 + length]) if 0 < length <= len(data) - 8 else None
        found = head.get("__metadata__", {}) if isinstance(head, dict) else {}
    except ValueError:
        found = {}
    if found.get("ganiq") != FORM:
        raise BadWeights("E-CKPT-FORMAT", name, f"it is no evaluator in the form {FORM}", _ADVICE)
    return found


def _content(path: Path) -> tuple[bytes, str]:
    try:
        return path.read_bytes(), path.name
    except OSError as error:
        raise BadWeights("E-CKPT-FORMAT", path.name, f"it cannot be read ({error.strerror})", _ADVICE) from None


def _parsed(values: dict[str, str], key: str, name: str) -> Any:
    try:
        return json.loads(values[key])
    except (KeyError, ValueError):
        raise BadWeights("E-CKPT-FORMAT", name, f"its metadata hold no readable {key}", _ADVICE) from None
