"""Checkpoints that are damaged, that do not fit, or that try to run code."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganiq.bench import weights
from ganiq.bench.weights.load import tensors_from
from safetensors.torch import save


class Payload:
    """What it does when unpickled would be seen: it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def refused(data: bytes, code: str) -> weights.BadWeights:
    with pytest.raises(weights.BadWeights) as caught:
        tensors_from(data, "test/one")
    assert caught.value.code == code, str(caught.value)
    return caught.value


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("shape", ["plain pickle", "torch zip", "torch legacy", "zip in a dict", "legacy tar"])
def test_a_checkpoint_that_runs_code_does_not(tmp_path: Path, protocol: int, shape: str) -> None:
    canary = tmp_path / "canary"
    hostile: Any = {"weight": Payload(canary)}
    buffer = io.BytesIO()
    if shape == "plain pickle":
        pickle.dump(hostile, buffer, protocol=protocol)
    elif shape == "torch zip":
        if protocol > 0:
            torch.save(hostile, buffer, pickle_protocol=protocol)
        else:
            with zipfile.ZipFile(buffer, "w") as archive:
                archive.writestr("archive/data.pkl", pickle.dumps(hostile, 0))
                archive.writestr("archive/version", "3\n")
    elif shape == "torch legacy":
        torch.save(hostile, buffer, pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    elif shape == "zip in a dict":
        inner = {"state_dict": {"weight": torch.zeros(2)}, "optimizer": Payload(canary)}
        torch.save(inner, buffer, pickle_protocol=max(protocol, 2))
    else:
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name in ("sys_info", "pickle", "tensors", "storages"):
                content = pickle.dumps(Payload(canary), protocol)
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    error = refused(buffer.getvalue(), "E-CKPT-UNSAFE")
    assert "safetensors" in str(error)
    assert not canary.exists()


def test_the_payload_of_these_tests_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "canary")))
    assert (tmp_path / "canary").is_dir()


def test_good_files_load_from_memory() -> None:
    state = {"a.weight": torch.randn(3, 2), "a.bias": torch.zeros(3), "n": torch.tensor(4)}
    for wrapper in (None, "state_dict", "params_ema"):
        buffer = io.BytesIO()
        torch.save({wrapper: state, "epoch": 3} if wrapper else state, buffer)
        loaded = tensors_from(buffer.getvalue(), "test/one")
        assert set(loaded) == set(state)
        assert all(torch.equal(loaded[k], state[k]) for k in state)
    loaded = tensors_from(save(state), "test/one")
    assert all(torch.equal(loaded[k], state[k]) for k in state)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02", b"<!DOCTYPE html>", b"\0" * 64, b"{}"])
def test_what_is_no_checkpoint_is_refused(content: bytes) -> None:
    with pytest.raises(weights.BadWeights) as caught:
        tensors_from(content, "test/one")
    assert caught.value.code in ("E-CKPT-FORMAT", "E-CKPT-UNSAFE")


def test_a_checkpoint_that_is_no_table_of_tensors_is_refused() -> None:
    for content in ([1, 2], {"a": 3}, {"a": {"b": torch.zeros(1)}}, torch.zeros(2)):
        buffer = io.BytesIO()
        torch.save(content, buffer)
        refused(buffer.getvalue(), "E-CKPT-FORMAT")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_values_that_are_not_finite_are_refused(value: float, dtype: torch.dtype) -> None:
    state = {"good": torch.zeros(4), "bad": torch.tensor([0.0, value], dtype=dtype)}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    assert "bad" in str(refused(buffer.getvalue(), "E-CKPT-NAN"))
    refused(save(state), "E-CKPT-NAN")


def header(table: str, data: bytes = b"", length: int | None = None) -> bytes:
    content = table.encode()
    return (len(content) if length is None else length).to_bytes(8, "little") + content + data


def entry(start: int, stop: int, shape: list[int] | None = None, dtype: str = "F32") -> str:
    return json.dumps({"dtype": dtype, "shape": [(stop - start) // 4] if shape is None else shape,
                       "data_offsets": [start, stop]})  # fmt: skip


SAFETENSORS = {
    "huge header": header("{}", length=2**63),
    "header beyond the end": header("{}", length=101 * 2**20),
    "overlap": header(f'{{"a":{entry(0, 8)},"b":{entry(4, 12)}}}', bytes(12)),
    "hole": header(f'{{"a":{entry(0, 4)},"b":{entry(8, 12)}}}', bytes(12)),
    "trailing bytes": header(f'{{"a":{entry(0, 4)}}}', bytes(8)),
    "too few bytes": header(f'{{"a":{entry(0, 8)}}}', bytes(4)),
    "duplicate name": header(f'{{"a":{entry(0, 4)},"a":{entry(0, 4)}}}', bytes(4)),
    "shape overflow": header(f'{{"a":{entry(0, 4, [2**62, 8])}}}', bytes(4)),
    "shape of another size": header(f'{{"a":{entry(0, 8, [3])}}}', bytes(8)),
    "empty alias": header(f'{{"a":{entry(0, 4)},"b":{entry(0, 0)}}}', bytes(4)),
    "negative range": header('{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}', bytes(4)),
    "range of booleans": header('{"a":{"dtype":"U8","shape":[1],"data_offsets":[false,true]}}', bytes(1)),
    "unknown type": header(f'{{"a":{entry(0, 4, dtype="F31")}}}', bytes(4)),
    "no range": header('{"a":{}}'),
    "not JSON": header("{oops"),
    "deep nesting": header('{"a":' * 100_000 + "1" + "}" * 100_000),
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_malformed_safetensors_are_refused(case: str) -> None:
    refused(SAFETENSORS[case], "E-CKPT-FORMAT")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("0.weight"), ["1 missing", "0.weight"]),
        (lambda s: s.update(extra=torch.zeros(1)), ["1 unknown", "extra"]),
        (lambda s: s.update({"0.weight": torch.zeros(2, 2)}), ["another shape", "(2, 2) for (3, 2)"]),
    ],
    ids=["missing", "extra", "shape"],
)
def test_strict_loading_names_what_does_not_fit_and_changes_nothing(change: Any, words: list[str]) -> None:
    def network() -> torch.nn.Sequential:
        return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))

    source, target = network(), network()
    before = {k: v.clone() for k, v in target.state_dict().items()}
    state = dict(source.state_dict())
    change(state)
    with pytest.raises(weights.BadWeights) as caught:
        weights.load_strict(target, state, name="test/one")
    assert caught.value.code == "E-CKPT-KEYS"
    for word in words:
        assert word in str(caught.value)
    assert all(torch.equal(before[k], v) for k, v in target.state_dict().items())
    state = dict(source.state_dict())
    del state["1.num_batches_tracked"]
    weights.load_strict(target, state)
    assert torch.equal(target.state_dict()["0.weight"], source.state_dict()["0.weight"])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"a": np.array([1.0, np.nan])}, "E-CKPT-NAN"),
        ({"a": np.array([object()], dtype=object)}, "E-CKPT-UNSAFE"),
        ({"a": np.array(["text"])}, "E-CKPT-FORMAT"),
        (b"PK\x03\x04 damaged", "E-CKPT-FORMAT"),
        (b"\x93NUMPY", "E-CKPT-FORMAT"),
    ],
    ids=["nan", "objects", "text", "damaged", "no archive"],
)
def test_arrays_are_checked(content: Any, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(content, dict):
        buffer = io.BytesIO()
        np.savez(buffer, **content)
        content = buffer.getvalue()
    monkeypatch.setattr("ganiq.bench.weights.load.read", lambda slot: content)
    with pytest.raises(weights.BadWeights) as caught:
        weights.arrays("niqe/pristine-live")
    assert caught.value.code == code


def test_an_archive_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as file:
        for _ in range(300):
            file.write(bytes(2**20))
    monkeypatch.setattr("ganiq.bench.weights.load.read", lambda slot: buffer.getvalue())
    with pytest.raises(weights.BadWeights, match="256 MB"):
        weights.arrays("niqe/pristine-live")


def test_a_pipe_in_place_of_a_file_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganiq.bench.weights.find import Found

    pipe = tmp_path / "pipe.npz"
    os.mkfifo(pipe)
    place = Found("niqe/pristine-live", pipe, "", "configuration")
    monkeypatch.setattr("ganiq.bench.weights.load.found", lambda slot: place)
    with pytest.raises(weights.BadWeights, match="not a regular file"):
        weights.read("niqe/pristine-live")
