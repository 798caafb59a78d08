"""Writes a GGUF file: metadata, then tensors in float32, float16 or blocks of 32 integers with a float16 scale."""
import struct

import numpy as np

ALIGNMENT = 32
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
F32_TENSOR, F16_TENSOR = 0, 1
# Name: (tensor type, file type)
TYPES = {"f16": (1, 1), "q8_0": (8, 7), "q4_0": (2, 2)}
BLOCK = 32
NORMAL_TOKEN, CONTROL_TOKEN = 1, 3


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key, value):
    """One line of metadata: a bool, an int (uint32), a float or a string."""
    if isinstance(value, bool):
        kind, data = BOOL, bytes([value])
    elif isinstance(value, int):
        kind, data = UINT32, struct.pack("<I", value)
    elif isinstance(value, float):
        kind, data = FLOAT32, struct.pack("<f", value)
    else:
        kind, data = STRING, text(value)
    return text(key) + struct.pack("<I", kind) + data


def array(key, kind, items):
    return text(key) + struct.pack("<I", ARRAY) + struct.pack("<IQ", kind, len(items)) + b"".join(items)


def vocabulary(size):
    """The bench feeds ids; the vocabulary only has to exist."""
    tokens = [text(f"token{i}") for i in range(size - 1)] + [text("<|endoftext|>")]
    kinds = [NORMAL_TOKEN] * (size - 1) + [CONTROL_TOKEN]
    return [
        entry("tokenizer.ggml.model", "gpt2"),
        entry("tokenizer.ggml.pre", "default"),
        array("tokenizer.ggml.tokens", STRING, tokens),
        array("tokenizer.ggml.token_type", INT32, [struct.pack("<i", kind) for kind in kinds]),
        array("tokenizer.ggml.merges", STRING, [text("t o")]),
        entry("tokenizer.ggml.bos_token_id", size - 1),
        entry("tokenizer.ggml.eos_token_id", size - 1),
    ]


def quantized(matrix, kind):
    """The bytes of blocks along the rows: a float16 scale, then 32 integers of 8 bits or 16 pairs of 4, the second half above the first."""
    blocks = matrix.astype(np.float32).reshape(-1, BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)
    scale = (np.abs(largest) / 127 if kind == "q8_0" else largest / -8).astype(np.float16)
    wide = scale.astype(np.float32)
    integers = np.rint(blocks / np.where(wide == 0, 1, wide))
    if kind == "q8_0":
        data = integers.astype(np.int8).view(np.uint8)
    else:
        nibbles = np.clip(integers + 8, 0, 15).astype(np.uint8)
        data = nibbles[:, :BLOCK // 2] | (nibbles[:, BLOCK // 2:] << 4)
    return np.concatenate([scale.view(np.uint8), data], axis=1)


def padding(length):
    return b"\0" * (-length % ALIGNMENT)


def write(path, architecture, metadata, vocab_size, tensors, kind, keep=()):
    """metadata: keys below the architecture's name; tensors: (name, array) in file order. Matrices are stored as kind says, but for those to keep."""
    def is_quantized(name, data):
        return kind != "f16" and data.ndim == 2 and name not in keep

    items, offset, infos = list(tensors), 0, []
    for name, data in items:
        tensor_type = TYPES[kind][0] if is_quantized(name, data) else F16_TENSOR if data.dtype == np.float16 else F32_TENSOR
        size = data.nbytes if not is_quantized(name, data) else data.size // BLOCK * (2 + BLOCK // (1 if kind == "q8_0" else 2))
        shape = struct.pack(f"<{data.ndim}Q", *reversed(data.shape))
        infos.append(text(name) + struct.pack("<I", data.ndim) + shape + struct.pack("<IQ", tensor_type, offset))
        offset += size + len(padding(size))
    entries = [entry("general.architecture", architecture), entry("general.name", "synthetic"), entry("general.file_type", TYPES[kind][1]),
               *(entry(f"{architecture}.{key}", value) for key, value in metadata.items()), *vocabulary(vocab_size)]
    with open(path, "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(items), len(entries)) + b"".join(entries) + b"".join(infos))
        file.write(padding(file.tell()))
        for name, data in items:
            stored = np.ascontiguousarray(quantized(data, kind) if is_quantized(name, data) else data).tobytes()
            file.write(stored + padding(len(stored)))
