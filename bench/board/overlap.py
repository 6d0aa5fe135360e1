"""How many of a board's images a metric was trained on, and from how many on that costs it its rank.

A handful is a note. A rank is lost where more than ``MOST`` of the images are alike, for that is what begins to move a
correlation, and where they show ``CONTENTS`` contents or more, for one may be chance and stand behind many images.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST = 0.01
"""Share of the images up to which a metric keeps its rank: known by heart, they lift a correlation by 0.01 at most."""
CONTENTS = 2


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a metric has scored, and what of that shows pictures that it was trained on."""

    images: int
    """That are alike: the image itself, or its reference."""
    of: int
    """Images that it has scored."""
    contents: int
    """Different contents among ``images``: references, or images without one."""
    contents_of: int
    """The same of ``of``."""
    people: bool = True
    """Whether it learnt people's scores; else a program's."""
    known: bool = True
    """Whether its file says what it was trained on."""

    @property
    def disqualifies(self) -> bool:
        """Whether the metric has no rank for it."""
        alike = self.images > MOST * self.of and self.contents >= min(CONTENTS, self.contents_of)
        return alike or not self.known

    @property
    def sentence(self) -> str:
        """What was found, in words; empty if nothing was."""
        if not self.known:
            return (
                "its file does not say which pictures it was trained on, and they may be these; not ranked; "
                "export the evaluator again"
            )
        if not self.images:
            return ""
        lost = self.disqualifies
        share = self.images / self.of
        shown = f" ({share:.{0 if share >= 0.1 else 1}%})" if lost else ""
        images = f"{self.images:,} of {self.of:,} images{shown}"
        contents = f"{self.contents:,} content{'s' * (self.contents != 1)}"
        learnt = "" if self.people else ", though on nobody's scores"
        end = "its numbers are not zero-shot here, and it has no rank" if lost else "too few to cost it its rank"
        return f"{images}, of {contents}, show pictures that it was trained on{learnt}; {end}"
