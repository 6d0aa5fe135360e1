"""Training of SRGAN-lite: first for PSNR, then as a GAN from there.

    python -m ganiq.generators.srgan.train --data PHOTOGRAPHS... --out FOLDER [--steps PSNR GAN] [--minutes M]

The same command goes on where it stopped, after ``--minutes`` or after an interruption, and ends with the same
weights, bit for bit, as without a stop. FOLDER then holds ``settings.json``, ``log.jsonl``, ``curve.png``,
``state.safetensors`` and the exported generators: ``psnr``, ``early``, ``mid`` and ``final`` (after a tenth, three
tenths and all of the GAN stage).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...bench.atomic import explained, write_text
from ...bench.errors import UsageError
from ...bench.images import hash_file
from . import curve, losses, patches
from .state import State, export

if TYPE_CHECKING:
    from torch import Tensor

    from .patches import Pair

SNAPSHOTS = {"early": 0.1, "mid": 0.3, "final": 1.0}
"""Exported generators of the GAN stage, and the part of it after which they are taken."""
_SQUARE = 128  # side of the middle of each held-out photograph that is restored for the curve
_BETAS = (0.9, 0.99)


@dataclass(frozen=True)
class Settings:
    """What the result depends on, besides the photographs."""

    psnr_steps: int = 24_000
    gan_steps: int = 4_000
    patch: int = 24
    """Side of the small patches."""
    batch: int = 8
    psnr_rate: float = 6e-4
    """Learning rate, falling along half a cosine to a hundredth in each stage."""
    gan_rate: float = 2e-4
    pixel: float = 1.0
    """Weights of the losses in the GAN stage; the PSNR stage has the pixel loss alone."""
    feature: float = 0.01
    """Small: ten times as much draws a lattice of dots into textures, which these features take for detail."""
    adversarial: float = 0.02
    lattice: float = 0.1
    """Without it the critic alone does not keep such lattices out in a training as short as this."""
    averaging: float = 0.995
    """Part of the running average that a step of the GAN stage keeps."""
    warm: int = 100
    """First steps of each stage, in which the learning rate rises."""
    report: int = 50
    """Steps between lines of the log; each is a mean over them."""
    save: int = 500
    """Steps between checkpoints; whole reports."""
    precision: str = "float32"
    """Of the generator's and the feature network's arithmetic: ``float32`` or ``bfloat16``, faster where the
    processor has it. Weights are kept in float32 in either case."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.psnr_steps, self.gan_steps, self.patch, self.batch, self.report, self.save) < 1:
            raise UsageError("steps, patch, batch, report and save must be at least 1", code="E-CFG")
        if self.save % self.report:
            raise UsageError(f"save ({self.save}) must be a multiple of report ({self.report})", code="E-CFG")
        if self.patch < 8:
            raise UsageError(f"patches must have at least 8 pixels for the critic, not {self.patch}", code="E-CFG")
        if self.precision not in ("float32", "bfloat16"):
            raise UsageError(f"precision is float32 or bfloat16, not {self.precision!r}", code="E-CFG")

    @property
    def steps(self) -> int:
        return self.psnr_steps + self.gan_steps

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0 over both stages."""
        top, done, length = (
            (self.psnr_rate, step, self.psnr_steps)
            if step < self.psnr_steps
            else (self.gan_rate, step - self.psnr_steps, self.gan_steps)
        )
        fall = 0.01 + 0.99 * (1 + math.cos(math.pi * done / length)) / 2
        return top * fall * min(1.0, (done + 1) / self.warm)


def start(settings: Settings) -> State:
    """Networks with the seed's random weights, and nothing learnt."""
    import torch

    from .critic_net import Critic
    from .generator_net import Generator

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        generator, critic = Generator(), Critic()
    networks: tuple[Any, Any] = (generator, critic)  # torch's annotations do not know the next line's argument
    for network in networks:
        network.to(memory_format=torch.channels_last)
    average = deepcopy(generator).requires_grad_(False)
    return State(
        generator,
        average,
        critic,
        torch.optim.Adam(generator.parameters(), betas=_BETAS),
        torch.optim.Adam(critic.parameters(), betas=_BETAS),
    )


def train(
    folders: Sequence[Path | str],
    out: Path | str,
    settings: Settings | None = None,
    *,
    minutes: float = math.inf,
    until: int | None = None,
    tell: Callable[[str], None] = lambda line: None,
    feature_loss: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> State:
    """Train, or go on training.

    Args:
        folders: photographs; every fifth of each folder is held out.
        out: folder of the results, and of an earlier call's state.
        settings: by default those of this module.
        minutes: stop at the first report after this time.
        until: stop at the first report after this step.
        tell: given each line of the log.
        feature_loss: by default that on EfficientNet-Lite0.

    Returns:
        Where training stands at the end.

    Raises:
        UsageError: no photographs; or ``out`` was begun with other settings or other photographs.
        MissingWeights: EfficientNet-Lite0 is not installed and the GAN stage needs it.
    """
    settings, out = settings or Settings(), Path(out)
    begun = time.monotonic()
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    seen = patches.files(folders, held_out=False)
    _same_settings(out / "settings.json", settings, seen)
    pairs = [patches.pair(path) for path in seen]
    held = [_middle(patches.pair(path)) for path in patches.files(folders, held_out=True)]
    feature = feature_loss or losses.FeatureLoss.trained()
    state = start(settings)
    log, file = out / "log.jsonl", out / "state.safetensors"
    if file.is_file():
        state.restore(file)
    known = [entry for entry in curve.lines(log) if entry["step"] <= state.step]
    spent = known[-1]["seconds"] if known else 0.0
    write_text(log, "".join(json.dumps(entry) + "\n" for entry in known))
    marks = {n: settings.psnr_steps + max(1, round(part * settings.gan_steps)) for n, part in SNAPSHOTS.items()}
    sums: dict[str, float] = {}
    count = 0
    while state.step < settings.steps:
        stage = "psnr" if state.step < settings.psnr_steps else "gan"
        values = _step(state, settings, pairs, feature)
        sums = {key: sums.get(key, 0.0) + value for key, value in values.items()}
        count += 1
        if state.step == settings.psnr_steps:
            export(state.generator, out / "psnr.safetensors")
            _begin_gan(state)
        for name in (name for name, mark in marks.items() if mark == state.step):
            export(state.average, out / f"{name}.safetensors")
        last = state.step in (settings.psnr_steps, settings.steps)
        if state.step % settings.report and not last:
            continue
        entry: dict[str, Any] = {"step": state.step, "stage": stage}
        entry |= {key: round(value / count, 6) for key, value in sums.items()}
        sums, count = {}, 0
        stop = (time.monotonic() - begun) / 60 > minutes or (until is not None and state.step >= until)
        if state.step % settings.save == 0 or last or stop:
            if held and (state.step % settings.save == 0 or last):
                network = state.average if stage == "gan" else state.generator
                entry["held_out"] = round(_held_out(network, held, settings), 4)
            state.save(file)
        entry["seconds"] = round(spent + time.monotonic() - begun, 1)
        line = json.dumps(entry)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        tell(line)
        if stop:
            break
    curve.draw(log, out / "curve.png")
    return state


def _step(
    state: State, settings: Settings, pairs: Sequence[Pair], feature: Callable[[Tensor, Tensor], Tensor]
) -> dict[str, float]:
    """One step of whichever stage it is; the losses before it."""
    import torch

    step = state.step
    low, high = (
        torch.from_numpy(part).contiguous(memory_format=torch.channels_last)
        for part in patches.batch(pairs, seed=settings.seed, step=step, side=settings.patch, count=settings.batch)
    )
    for optimizer in (state.generator_steps, state.critic_steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate(step)
    with _precision(settings):
        fake = state.generator(low)
    pixel = (fake - high).abs().mean()
    state.step += 1
    if step < settings.psnr_steps:
        _descend(state.generator_steps, pixel)
        return {"pixel": pixel.item()}
    # The networks below look at every eighth pixel at their coarsest: were their grid always in the same place,
    # the generator would learn a pattern of that period.
    top, left = (int(n) for n in np.random.default_rng((settings.seed, step, 1)).integers(8, size=2))
    side = 4 * settings.patch - 8
    fake_cut, high_cut = (part[:, :, top : top + side, left : left + side] for part in (fake, high))
    state.critic.requires_grad_(False)
    with _precision(settings):
        likeness = feature(fake_cut, high_cut)
    adversarial = losses.adversarial_loss(state.critic(high_cut), state.critic(fake_cut))
    lattice = losses.lattice_loss(fake)
    total = (
        settings.pixel * pixel
        + settings.feature * likeness
        + settings.adversarial * adversarial
        + settings.lattice * lattice
    )
    _descend(state.generator_steps, total)
    state.critic.requires_grad_(True)
    critic = losses.critic_loss(state.critic(high_cut), state.critic(fake_cut.detach()))
    _descend(state.critic_steps, critic)
    with torch.no_grad():
        for kept, new in zip(state.average.parameters(), state.generator.parameters()):
            kept.lerp_(new, 1 - settings.averaging)
    return {
        "pixel": pixel.item(),
        "feature": likeness.item(),
        "adversarial": adversarial.item(),
        "lattice": lattice.item(),
        "critic": critic.item(),
    }


def _descend(optimizer: Any, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def _begin_gan(state: State) -> None:
    """From the PSNR stage: its weights, without its optimiser's momentum."""
    import torch

    state.average.load_state_dict(state.generator.state_dict())
    state.generator_steps = torch.optim.Adam(state.generator.parameters(), betas=_BETAS)


def _precision(settings: Settings) -> Any:
    import torch

    return torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bfloat16")


def _middle(pair: Pair) -> Pair:
    """The middle square of a photograph, or all of it if it is smaller."""
    side = _SQUARE // patches.SCALE
    top, left = (max(0, length - side) // 2 for length in pair.low.shape[:2])
    s = patches.SCALE
    return patches.Pair(
        pair.name,
        pair.high[s * top : s * (top + side), s * left : s * (left + side)],
        pair.low[top : top + side, left : left + side],
    )


def _held_out(network: Any, held: Sequence[Pair], settings: Settings) -> float:
    """Mean PSNR over RGB of the held-out squares."""
    import torch

    values = []
    with torch.inference_mode(), _precision(settings):
        for one in held:
            low = torch.from_numpy(one.low.transpose(2, 0, 1)[None] / np.float32(255))
            done = network(low).clamp(0, 1)[0].permute(1, 2, 0).numpy()
            values.append(-10 * math.log10(max(float(np.mean((done - one.high / 255.0) ** 2)), 1e-10)))
    return float(np.mean(values))


def _same_settings(path: Path, settings: Settings, seen: Sequence[Path]) -> None:
    """Write what this training depends on, or compare it with what it was begun with."""
    now = {"settings": asdict(settings), "photographs": [[path.name, hash_file(path)[0]] for path in seen]}
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before != now:
            raise UsageError(
                f"{path.parent} was begun with other settings or photographs; give those again, or another folder",
                code="E-CFG",
            )
    else:
        write_text(path, json.dumps(now, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m ganiq.generators.srgan.train",
        description="Training of SRGAN-lite: first for PSNR, then as a GAN.",
    )
    parser.add_argument("--data", nargs="+", required=True, help="folders of photographs")
    parser.add_argument("--out", required=True, help="folder of the results")
    parser.add_argument("--steps", nargs=2, type=int, metavar=("PSNR", "GAN"), help="steps of the two stages")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after this time; run again to go on")
    parser.add_argument("--threads", type=int, default=1)
    for name in ("psnr_rate", "gan_rate", "feature", "adversarial", "lattice"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(Settings, name))
    for name in ("patch", "batch", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Settings, name))
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default=Settings.precision)
    given = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(given.threads)
    names = ("psnr_rate", "gan_rate", "feature", "adversarial", "lattice", "patch", "batch", "seed", "precision")
    chosen: dict[str, Any] = {name: getattr(given, name) for name in names}
    if given.steps:
        chosen |= {"psnr_steps": given.steps[0], "gan_steps": given.steps[1]}
    try:
        train(
            given.data,
            given.out,
            Settings(**chosen),
            minutes=given.minutes,
            tell=lambda line: print(line, file=sys.stderr, flush=True),  # noqa: T201
        )
    except UsageError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
