#!/usr/bin/env python3
"""Writes the files beside it with PyTorch: state dicts in both forms of torch.save, and the same tensors as raw bytes.

expected.json has, for every tensor, its type in safetensors' spelling, its shape and its bytes (C order, little-endian) in hexadecimal.
Run: python3 tests/data/torch/make.py (made with PyTorch 1.13, Debian's python3-torch).
"""
import collections
import json
import os
import pathlib

import torch

HERE = pathlib.Path(__file__).parent
NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}


def state_dict():
    base = torch.arange(24, dtype=torch.float32).view(4, 6)
    tensors = collections.OrderedDict()
    for dtype, name in NAMES.items():
        tensors[f"types.{name}"] = (torch.arange(-3, 3) if dtype.is_signed else torch.arange(6)).view(2, 3).to(dtype)
    tensors["views.base"] = base
    tensors["views.same"] = base
    tensors["views.rows"] = base[1:3]
    tensors["views.columns"] = base[:, 2:5]
    tensors["views.steps"] = base[::2, ::3]
    tensors["views.transposed"] = base.t()
    tensors["views.permuted"] = torch.arange(24, dtype=torch.int16).view(2, 3, 4).permute(2, 0, 1)
    tensors["views.expanded"] = torch.tensor([1.5, 2.5]).view(2, 1).expand(2, 3)
    tensors["views.one_row"] = base[2:3].t()[:1].t()
    tensors["shapes.scalar"] = torch.tensor(7.0)
    tensors["shapes.empty"] = torch.zeros(0, 3)
    tensors["shapes.parameter"] = torch.nn.Parameter(torch.tensor([1.0, -1.0], dtype=torch.bfloat16))
    tensors["name with blank and \u00e9"] = torch.tensor([1], dtype=torch.uint8)
    tensors._metadata = collections.OrderedDict([("", {"version": 1})])
    return tensors


def raw(tensor):
    return bytes(tensor.detach().contiguous().flatten().view(torch.uint8).tolist()) if tensor.numel() else b""


def main():
    tensors = state_dict()
    torch.save(tensors, HERE / "zip.bin")
    torch.save(tensors, HERE / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save(dict(tensors), HERE / "protocol4.bin", pickle_protocol=4)
    expected = {name: {"dtype": NAMES[t.dtype], "shape": list(t.shape), "bytes": raw(t).hex()} for name, t in tensors.items()}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")

    # What is refused: a training checkpoint, other values beside tensors, a tensor alone, a pickle that would run something.
    weights = {"a": torch.ones(2)}
    torch.save({"model": weights, "epoch": 3, "args": {"lr": 0.1, "name": "x"}}, HERE / "training.bin")
    torch.save(torch.ones(2), HERE / "tensor.bin")
    torch.save({"a": torch.ones(2), "run": Runs("true")}, HERE / "runs.bin")
    torch.save({"a": torch.ones(2), "run": Runs("true")}, HERE / "runs-legacy.bin", _use_new_zipfile_serialization=False)
    torch.save({"a": torch.ones(2, dtype=torch.complex64)}, HERE / "complex.bin")


class Runs:
    """In Python, reading this runs a command."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


if __name__ == "__main__":
    main()
