"""Reads a safetensors file without copying it: the few lines that the model writers need."""
import json
import mmap

import numpy as np

DTYPES = {"F32": np.float32, "F16": np.float16}


class Checkpoint:
    """Tensors by name, as stored or as float32."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        header = int.from_bytes(self._map[:8], "little")
        self._entries = json.loads(self._map[8:8 + header])
        self._start = 8 + header

    def stored(self, name):
        entry = self._entries[name]
        begin, end = entry["data_offsets"]
        dtype = np.dtype(DTYPES[entry["dtype"]])
        flat = np.frombuffer(self._map, dtype, (end - begin) // dtype.itemsize, self._start + begin)
        return flat.reshape(entry["shape"])

    def __getitem__(self, name):
        return self.stored(name).astype(np.float32)


def split_qkv(fused, heads, blocks=4):
    """CodeGen's qkv_proj [3·n, n] lies in blocks of [query | value | key]; returns (query, key, value), each [n, n], heads in order."""
    n = fused.shape[1]
    parts = fused.reshape(blocks, 3, n // blocks, n)
    query, value, key = (parts[:, i].reshape(n, n) for i in range(3))
    return query, key, value
