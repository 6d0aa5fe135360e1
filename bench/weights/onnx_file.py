"""Tensors of an ONNX file, without running it: ``onnx`` parses the file, and nothing executes the graph."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .load import read
from .problems import BadWeights
from .table import slot_of

if TYPE_CHECKING:
    from torch import Tensor


def graph(slot: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Parameters of a slot of the kind ``onnx``; see ``graph_from``.

    Raises:
        MissingWeights: the slot is empty.
        BadWeights: ``E-CKPT-HASH``, ``-FORMAT`` or ``-NAN``.
    """
    return graph_from(read(slot), slot)


def graph_from(data: bytes, slot: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Parameters of the content of a file of the kind ``onnx``; ``slot`` is used in messages.

    Returns:
        Tensors by name, checked to be finite; and for every named tensor that is added to the product with a matrix
        (the bias of a linear layer) the name of that matrix, which is stored transposed.

    Raises:
        BadWeights: ``E-CKPT-FORMAT``, the file cannot be parsed, or ``onnx`` is not installed; ``-NAN``.
    """
    import numpy as np
    import torch

    try:
        onnx = import_module("onnx")
        to_array = import_module("onnx.numpy_helper").to_array
    except ImportError:
        raise BadWeights(
            "E-CKPT-FORMAT", slot, "reading it needs the package onnx, which is not installed", "run `pip install onnx`"
        ) from None
    try:
        if slot_of(slot).format != "onnx":
            raise ValueError(f"a file of the kind {slot_of(slot).format} holds no graph")
        found = onnx.load_model_from_string(data).graph
        values = {t.name: torch.from_numpy(np.array(to_array(t))) for t in found.initializer}
    except Exception as error:  # onnx and protobuf have many
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise BadWeights(
            "E-CKPT-FORMAT", slot, f"the file cannot be parsed ({reason})", "get an undamaged copy"
        ) from None
    for name, value in values.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise BadWeights("E-CKPT-NAN", slot, f"tensor {name} holds values that are not finite", "use another copy")
    products = {
        node.output[0]: matrix
        for node in found.node
        if node.op_type == "MatMul"
        for matrix in node.input
        if matrix in values
    }
    layers = {
        bias: products[product]
        for node in found.node
        if node.op_type == "Add"
        for bias in node.input
        for product in node.input
        if bias in values and product in products
    }
    return values, layers
