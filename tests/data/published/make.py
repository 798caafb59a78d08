#!/usr/bin/env python3
"""Writes the weights of LaBSE's Dense module, as both files that are published: the same numbers as safetensors and as PyTorch's zip of a pickle.

Python 3 without packages: the pickle names torch's functions, and needs none of them to be written.
"""
import collections
import io
import json
import pathlib
import pickle
import random
import struct
import sys
import types
import zipfile

FOLDER = pathlib.Path(__file__).parent / "LaBSE" / "2_Dense"
WIDTH = 32


class Storage:
    def __init__(self, key, numbers):
        self.key, self.numbers = key, numbers


class Tensor:
    def __init__(self, storage, shape, stride):
        self.parts = (storage, 0, shape, stride, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


def stand_in(module, name):
    """A name that a pickle can refer to."""
    sys.modules.setdefault("torch", types.ModuleType("torch"))
    target = sys.modules.setdefault(module, types.ModuleType(module))
    made = types.FunctionType((lambda *_: None).__code__, {}, name)
    made.__module__, made.__qualname__ = module, name
    setattr(target, name, made)
    return made


def main():
    draw = random.Random(20)
    weight = [draw.uniform(-0.3, 0.3) for _ in range(WIDTH * WIDTH)]
    bias = [draw.uniform(-0.1, 0.1) for _ in range(WIDTH)]
    raw = {"linear.weight": struct.pack(f"<{len(weight)}f", *weight), "linear.bias": struct.pack(f"<{WIDTH}f", *bias)}
    shapes = {"linear.weight": (WIDTH, WIDTH), "linear.bias": (WIDTH,)}

    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, data in raw.items():
        header[name] = {"dtype": "F32", "shape": shapes[name], "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (FOLDER / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(raw.values()))

    stand_in("torch._utils", "_rebuild_tensor_v2")
    float_storage = stand_in("torch", "FloatStorage")
    tensors = collections.OrderedDict(
        (name, Tensor(Storage(str(i), len(data) // 4), shapes[name], (WIDTH, 1)[-len(shapes[name]):])) for i, (name, data) in enumerate(raw.items()))
    pickled = io.BytesIO()
    pickler = pickle.Pickler(pickled, protocol=2)
    pickler.persistent_id = lambda o: ("storage", float_storage, o.key, "cpu", o.numbers) if isinstance(o, Storage) else None
    pickler.dump(tensors)
    with zipfile.ZipFile(FOLDER / "pytorch_model.bin", "w", zipfile.ZIP_STORED) as file:
        entries = {"data.pkl": pickled.getvalue(), **{f"data/{i}": data for i, data in enumerate(raw.values())}, "version": b"3\n"}
        for name, data in entries.items():
            file.writestr(zipfile.ZipInfo(f"archive/{name}", (1980, 1, 1, 0, 0, 0)), data)


if __name__ == "__main__":
    main()
