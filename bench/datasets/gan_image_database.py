"""GAN image database: 2AFC votes on the output of GAN compression, super-resolution and artefact removal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..errors import UsageError
from ..manifest import Manifest, Published
from ..types import DistortionClass, Item
from . import files, tables
from .base import DatasetInfo, absent

# Penalty on the squared log-scale scores: keeps stimuli that won or lost every comparison finite.
RIDGE = 0.01

_CLASSES = (
    DistortionClass("HiFiC", "GAN compression (HiFiC)", "gan"),
    DistortionClass("ESRGAN", "GAN super-resolution (ESRGAN)", "gan"),
    DistortionClass("ArNet", "NoGAN artefact removal (ArNet)", "gan"),
)
_SETTINGS = {
    "HiFiC": {"lo": "0.06 bpp", "mi": "0.14 bpp", "hi": "0.30 bpp"},
    "ESRGAN": {"lo": "GAN loss weight 0.05", "mi": "GAN loss weight 0.01", "hi": "GAN loss weight 0.005"},
    "ArNet": {"lo": "JPEG quality 7", "mi": "JPEG quality 14", "hi": "JPEG quality 21"},
}
# Column of results/metrics.csv -> metric, and which end of it is good. The table spells NIQE "NIQUE".
_PUBLISHED = {
    "mse": ("mse", "lower"),
    "psnr": ("psnr", "higher"),
    "ssim": ("ssim", "higher"),
    "ms-ssim": ("ms-ssim", "higher"),
    "vif": ("vif", "higher"),
    "fsim": ("fsim", "higher"),
    "uiq": ("uiq", "higher"),
    "brisque": ("brisque", "lower"),
    "nique": ("niqe", "lower"),
    "hyperiqa": ("hyperiqa", "higher"),
    "unique": ("unique", "higher"),
}


@dataclass(frozen=True, order=True, slots=True)
class Stimulus:
    """One image that observers saw."""

    content: int
    model: str
    """``original``, ``HiFiC``, ``ESRGAN``, ``ArNet`` or ``hevc``."""
    level: str = ""
    """``lo``, ``mi``, ``hi``; empty for an original."""

    @property
    def key(self) -> str:
        return "_".join(part for part in (f"{self.content:05d}", self.model, self.level) if part)

    @property
    def generator(self) -> str:
        return f"{self.model}-{self.level}" if self.level else self.model

    @property
    def path(self) -> str:
        """Where the delivered layout keeps the image."""
        folder = {"original": "Original", "HiFiC": f"HiFiC/{self.level.title()}"}.get(self.model, self.model)
        return f"images/{folder}/{self.key}.png"


@dataclass(frozen=True)
class Ballots:
    """The votes as they were cast."""

    stimuli: tuple[Stimulus, ...]
    first: np.ndarray
    """(pairs,) index of image A in ``stimuli``."""
    second: np.ndarray
    """(pairs,) index of image B."""
    votes: np.ndarray
    """(pairs, observers) of bool: True = B was preferred."""
    observers: tuple[str, ...]
    """Column numbers of the table; nothing else is known about a person."""

    def wins(self, weights: np.ndarray | None = None) -> np.ndarray:
        """(n, n) matrix: how often the row was preferred to the column; ``weights``: one per observer."""
        weights = np.ones(len(self.observers)) if weights is None else weights
        for_second = self.votes @ weights
        matrix = np.zeros((len(self.stimuli), len(self.stimuli)))
        np.add.at(matrix, (self.second, self.first), for_second)
        np.add.at(matrix, (self.first, self.second), weights.sum() - for_second)
        return matrix

    @cached_property
    def comparisons(self) -> np.ndarray:
        """(n,) number of votes that each stimulus took part in."""
        matrix = self.wins()
        return np.rint(matrix.sum(0) + matrix.sum(1)).astype(int)


def ballots(path: Path) -> Ballots:
    """Read ``results/jdg.csv``: 1 means that image B was preferred.

    Args:
        path: folder of the data set.

    Raises:
        UsageError: the table is absent, or a vote is neither 0 nor 1.
    """
    table = path / "results" / "jdg.csv"
    if not table.is_file():
        raise absent(path, "results/jdg.csv", GanImageDatabase.info)
    needed = [f"{what}_{side}" for side in "ab" for what in ("image", "model", "quality")]
    rows = tables.rows(table, needed)
    if not rows:
        raise UsageError(f"{table.name} holds no pair; get the file again", code="E-CFG")
    observers = tuple(name for name in rows[0].cells if name.isdigit())
    places: dict[Stimulus, int] = {}
    ends: list[tuple[int, int]] = []
    votes: list[list[bool]] = []
    for row in rows:
        pair = [_stimulus(row, row[f"image_{s}"], row[f"model_{s}"], row[f"quality_{s}"]) for s in "ab"]
        a, b = (places.setdefault(stimulus, len(places)) for stimulus in pair)
        if a == b:
            raise row.error("an image is compared with itself", "get the file again")
        answers = [row[name] for name in observers]
        strange = next((n for n, answer in enumerate(answers) if answer not in ("0", "1")), None)
        if strange is not None:
            raise row.error(
                f"the vote in column {observers[strange]} is {answers[strange]!r}", "votes are 1 (B preferred) or 0"
            )
        ends.append((a, b))
        votes.append([answer == "1" for answer in answers])
    order = sorted(places)
    rank = {places[stimulus]: n for n, stimulus in enumerate(order)}
    first, second = (np.array([rank[pair[side]] for pair in ends]) for side in (0, 1))
    return Ballots(tuple(order), first, second, np.array(votes, bool), observers)


def _stimulus(row: tables.Row, content: str, model: str, level: str) -> Stimulus:
    if not content.isdigit():
        raise row.error(f"image {content!r} is not a number", "get the file again")
    model = "original" if model.lower().startswith("original") else model
    return Stimulus(int(content), model, level.lower())


@dataclass(frozen=True)
class GanImageDatabase:
    """Votes become Bradley-Terry scores over all stimuli that observers saw.

    Args:
        resamples: refits on observers drawn with replacement, for intervals that speak about other observers;
            0 for none.
        seed: of those draws.
    """

    resamples: int = 200
    seed: int = 0

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="gan-image-database",
        title="GAN image database",
        what=(
            "Outputs of HiFiC (compression), ESRGAN (super-resolution) and ArNet (artefact removal) at three levels; "
            "31 observers chose the better of two images, 456 pairs."
        ),
        n_images="69 outputs and 8 originals at hand of 104 that were compared; 14,136 votes",
        size="940x880, 78 MB",
        license="none stated: use locally, do not pass the files on",
        source="https://github.com/martafilipa/gan-image-database",
        layout=(
            "images/Original, images/ESRGAN, images/ArNet, images/HiFiC/{Hi,Mi,Lo} with files like 00002_HiFiC_hi.png; "
            "results/jdg.csv (votes), results/metrics.csv"
        ),
        mark="results/jdg.csv",
        cite="GAN image database, https://github.com/martafilipa/gan-image-database",
        better="higher",
        kind="Bradley-Terry",
        comparable="within-block",
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """``results/jdg.csv`` and a folder of images."""
        return (path / "results" / "jdg.csv").is_file()

    def load(self, path: Path) -> Manifest:
        """Fit the votes and list the images that are at hand.

        All stimuli take part in the fit, the unpublished ones too: they link the others. HEVC outputs and the
        ESRGAN outputs of image 4 were never published and are gaps, not missing files.
        """
        from ..stats.pairwise import bradley_terry

        cast = ballots(path)
        fit = bradley_terry(cast.wins(), ridge=RIDGE)
        index = files.Index.of(path, ["images"])
        chosen: list[int] = []
        items: list[Item] = []
        gaps: list[tuple[str, str]] = []
        for place, stimulus in enumerate(cast.stimuli):
            image = index.find(stimulus.path)
            reason = "" if image else _unpublished(stimulus)
            if reason:
                gaps.append((stimulus.key, reason))
                continue
            original = Stimulus(stimulus.content, "original").path
            group = f"{stimulus.content:05d}"
            chosen.append(place)
            items.append(
                Item(
                    key=stimulus.key,
                    image=image or stimulus.path,
                    reference=index.find(original) or original,
                    generator=stimulus.generator,
                    distortion="" if stimulus.model == "original" else stimulus.model,
                    group=group,
                    block=group,
                    score=_rounded(fit.theta[place]),
                    score_se=_rounded(fit.se[place]),
                    votes=int(cast.comparisons[place]),
                    role="reference" if stimulus.model == "original" else "output",
                    attrs=_attributes(stimulus),
                )
            )
        table = path / "results" / "metrics.csv"
        scores = {stimulus: _rounded(fit.theta[n]) for n, stimulus in enumerate(cast.stimuli)}
        return self.info.manifest(
            items,
            path,
            classes=_CLASSES,
            gaps=tuple(gaps),
            notes=(
                f"Scores: Bradley-Terry, maximum likelihood over all {len(cast.stimuli)} stimuli and "
                f"{cast.votes.size} votes, ridge {RIDGE} on the squared scores; mean zero, natural-log scale.",
                "72 of the 456 pairs compare different contents and link their scales; the headline compares within "
                "a content.",
                "At most 9 outputs per content and 24 per model: intervals are wide.",
            ),
            published=published(table, scores) if table.is_file() else None,
            reference_generator="original",
            draws=self._draws(cast)[:, chosen] if self.resamples > 0 else None,
        )

    def _draws(self, cast: Ballots) -> np.ndarray:
        """(resamples, stimuli) scores refitted on observers drawn with replacement."""
        from .. import threads
        from ..stats.pairwise import bradley_terry
        from ..stats.stream import generator

        rng = generator(self.seed, self.info.name, "observers")
        people = len(cast.observers)
        draws = np.empty((self.resamples, len(cast.stimuli)))
        with threads.single():
            for row in draws:
                weights = np.bincount(rng.integers(0, people, people), minlength=people).astype(float)
                row[:] = bradley_terry(cast.wins(weights), ridge=RIDGE).theta
        return draws


def _rounded(value: float) -> float:
    """Nine decimals: the last digits differ between computers, and the manifest's digest must not."""
    return round(float(value), 9)


def _unpublished(stimulus: Stimulus) -> str:
    if stimulus.model == "hevc":
        return "the authors do not publish the HEVC images that observers saw"
    if stimulus.model == "ESRGAN" and stimulus.content == 4:
        return "the authors do not publish ESRGAN outputs of image 4"
    return ""


def _attributes(stimulus: Stimulus) -> dict[str, str]:
    if not stimulus.level:
        return {}
    setting = _SETTINGS.get(stimulus.model, {}).get(stimulus.level)
    return {"level": stimulus.level} | ({"setting": setting} if setting else {})


def published(
    table: Path, scores: dict[Stimulus, float], models: Sequence[str] = ("HiFiC", "ESRGAN", "ArNet")
) -> Published:
    """The authors' metric values on the outputs of the given models, images at hand or not.

    Args:
        table: ``results/metrics.csv``.
        scores: human score of every stimulus.
        models: whose rows are taken.

    Raises:
        UsageError: a row of a stimulus that nobody voted on, or a value that is not a number.
    """
    chosen: list[tuple[Stimulus, tables.Row]] = []
    rows = tables.rows(table, ["id", "model", "quality"])
    for row in rows:
        stimulus = _stimulus(row, row["id"], row["model"], row["quality"])
        if stimulus.model not in models:
            continue
        if stimulus not in scores:
            raise row.error(f"{stimulus.key} has no votes in jdg.csv", "get both tables of one version")
        chosen.append((stimulus, row))
    chosen.sort(key=lambda pair: pair[0])
    columns = [column for column in _PUBLISHED if rows and column in rows[0].cells]
    return Published(
        source="results/metrics.csv of the data set",
        keys=tuple(s.key for s, _ in chosen),
        groups=tuple(f"{s.content:05d}" for s, _ in chosen),
        generators=tuple(s.generator for s, _ in chosen),
        scores=tuple(scores[s] for s, _ in chosen),
        values={_PUBLISHED[c][0]: tuple(_value(row, c) for _, row in chosen) for c in columns},
        better={_PUBLISHED[c][0]: _PUBLISHED[c][1] for c in columns},
    )


def _value(row: tables.Row, column: str) -> float:
    """A number, an infinity, or nan for an empty cell."""
    try:
        return float(row[column] or math.nan)
    except ValueError:
        raise row.error(f"{column} is {row[column]!r}", "write a plain number or leave the cell empty") from None
