"""Everything training needs to go on exactly where it stopped, as one safetensors file; and what is shipped.

Tensors only: the networks, the running average of the generator, and both optimisers' moments, under names
with a prefix. Random numbers need no place here, as batches depend on the step alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...bench.atomic import write_bytes
from ...bench.weights import load_strict
from ...bench.weights.load import tensors_from

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from torch.optim import Optimizer

_ADAM = ("step", "exp_avg", "exp_avg_sq")


@dataclass(eq=False)
class State:
    """Where training stands."""

    generator: Module
    average: Module
    """Running average of the generator during the GAN stage: what is exported then."""
    critic: Module
    generator_steps: Optimizer
    critic_steps: Optimizer
    step: int = 0
    """Steps done, of both stages together."""

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        import torch
        from safetensors.torch import save

        values = {"step": torch.tensor(self.step)}
        for name, module in self._modules().items():
            values |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
        for name, optimizer in self._optimizers().items():
            for number, moments in optimizer.state_dict()["state"].items():
                values |= {f"{name}.{number}.{key}": moments[key] for key in _ADAM}
        write_bytes(path, save({key: value.detach().clone().contiguous() for key, value in values.items()}))

    def restore(self, path: Path) -> None:
        """Take up what ``save`` wrote.

        Raises:
            BadWeights: a damaged file, or one of other networks.
        """
        values = tensors_from(path.read_bytes(), path.name)
        for name, module in self._modules().items():
            load_strict(module, _below(values, name), name=path.name)
        for name, optimizer in self._optimizers().items():
            moments: dict[int, dict[str, Tensor]] = {}
            for key, value in _below(values, name).items():
                number, what = key.split(".")
                moments.setdefault(int(number), {})[what] = value
            optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        self.step = int(values["step"])

    def _modules(self) -> dict[str, Module]:
        return {"generator": self.generator, "average": self.average, "critic": self.critic}

    def _optimizers(self) -> dict[str, Optimizer]:
        return {"generator_steps": self.generator_steps, "critic_steps": self.critic_steps}


def export(module: Module, path: Path) -> None:
    """Write a generator's tensors in half precision, as it is shipped."""
    import torch
    from safetensors.torch import save

    values = {key: value.detach().to(torch.float16).contiguous() for key, value in module.state_dict().items()}
    write_bytes(path, save(values, metadata={"format": "pt"}))


def _below(values: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in values.items() if key.startswith(f"{name}.")}
