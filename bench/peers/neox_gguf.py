"""Writes a CodeGen checkpoint as a GGUF file of the GPT-NeoX architecture, the closest one that llama.cpp has: parallel attention
and feed-forward, partial rotary embedding, GELU. The matrices are those of the checkpoint, in float16 or, but for the token
embeddings, in blocks of 32 integers with a float16 scale.

    python3 neox_gguf.py CHECKPOINT_DIRECTORY OUTPUT.gguf [f16|q8_0|q4_0]

What differs: GPT-NeoX rotates halves instead of pairs (the rows of query and key are put in that order, which gives the same
scores), has a second LayerNorm (here a copy of the first) and no bias of the vocabulary scores.
"""
import json
import os
import struct
import sys

import numpy as np

from safetensors import Checkpoint, split_qkv

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


def entry(key, kind, data):
    return text(key) + struct.pack("<I", kind) + data


def array(key, kind, items):
    return entry(key, ARRAY, struct.pack("<IQ", kind, len(items)) + b"".join(items))


def halves(matrix, heads, rotary):
    """Rows of query or key: the rotated pairs (2i, 2i+1) of each head become (i, i + rotary/2)."""
    rows = matrix.reshape(heads, -1, matrix.shape[1])
    order = np.r_[np.arange(0, rotary, 2), np.arange(1, rotary, 2), np.arange(rotary, rows.shape[1])]
    return rows[:, order].reshape(matrix.shape)


def tensors(checkpoint, config):
    """(name, array) in file order; vectors are float32, as llama.cpp wants them."""
    n, heads, rotary = config["n_embd"], config["n_head"], config["rotary_dim"]
    yield "token_embd.weight", checkpoint.stored("transformer.wte.weight")
    for i in range(config["n_layer"]):
        source, target = f"transformer.h.{i}", f"blk.{i}"
        query, key, value = split_qkv(checkpoint.stored(f"{source}.attn.qkv_proj.weight"), heads)
        yield f"{target}.attn_qkv.weight", np.concatenate([halves(query, heads, rotary), halves(key, heads, rotary), value])
        yield f"{target}.attn_qkv.bias", np.zeros(3 * n, np.float32)
        yield f"{target}.attn_output.weight", checkpoint.stored(f"{source}.attn.out_proj.weight")
        yield f"{target}.attn_output.bias", np.zeros(n, np.float32)
        for norm in ("attn_norm", "ffn_norm"):
            for part in ("weight", "bias"):
                yield f"{target}.{norm}.{part}", checkpoint[f"{source}.ln_1.{part}"]
        for ours, theirs in (("fc_in", "ffn_up"), ("fc_out", "ffn_down")):
            yield f"{target}.{theirs}.weight", checkpoint.stored(f"{source}.mlp.{ours}.weight")
            yield f"{target}.{theirs}.bias", checkpoint[f"{source}.mlp.{ours}.bias"]
    for part in ("weight", "bias"):
        yield f"output_norm.{part}", checkpoint[f"transformer.ln_f.{part}"]
    yield "output.weight", checkpoint.stored("lm_head.weight")


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


def metadata(config, file_type):
    def u32(key, value):
        return entry(f"gptneox.{key}", UINT32, struct.pack("<I", value))
    vocabulary = config["vocab_size"]
    # The bench feeds ids; the vocabulary only has to exist.
    tokens = [text(f"token{i}") for i in range(vocabulary - 1)] + [text("<|endoftext|>")]
    kinds = [NORMAL_TOKEN] * (vocabulary - 1) + [CONTROL_TOKEN]
    return [
        entry("general.architecture", STRING, text("gptneox")),
        entry("general.name", STRING, text("synthetic")),
        entry("general.file_type", UINT32, struct.pack("<I", file_type)),
        u32("context_length", config["n_positions"]),
        u32("embedding_length", config["n_embd"]),
        u32("block_count", config["n_layer"]),
        u32("feed_forward_length", 4 * config["n_embd"]),
        u32("attention.head_count", config["n_head"]),
        u32("rope.dimension_count", config["rotary_dim"]),
        u32("vocab_size", vocabulary),
        entry("gptneox.use_parallel_residual", BOOL, b"\1"),
        entry("gptneox.attention.layer_norm_epsilon", FLOAT32, struct.pack("<f", config["layer_norm_epsilon"])),
        entry("tokenizer.ggml.model", STRING, text("gpt2")),
        entry("tokenizer.ggml.pre", STRING, text("default")),
        array("tokenizer.ggml.tokens", STRING, tokens),
        array("tokenizer.ggml.token_type", INT32, [struct.pack("<i", kind) for kind in kinds]),
        array("tokenizer.ggml.merges", STRING, [text("t o")]),
        entry("tokenizer.ggml.bos_token_id", UINT32, struct.pack("<I", vocabulary - 1)),
        entry("tokenizer.ggml.eos_token_id", UINT32, struct.pack("<I", vocabulary - 1)),
    ]


def is_quantized(name, data, kind):
    return kind != "f16" and data.ndim == 2 and name != "token_embd.weight"


def padding(length):
    return b"\0" * (-length % ALIGNMENT)


def main(source, target, kind="f16"):
    with open(os.path.join(source, "config.json")) as file:
        config = json.load(file)
    checkpoint = Checkpoint(os.path.join(source, "model.safetensors"))
    items, offset, infos = list(tensors(checkpoint, config)), 0, []
    for name, data in items:
        tensor_type = TYPES[kind][0] if is_quantized(name, data, kind) else F16_TENSOR if data.dtype == np.float16 else F32_TENSOR
        size = data.nbytes if not is_quantized(name, data, kind) else data.size // BLOCK * (2 + BLOCK // (1 if kind == "q8_0" else 2))
        shape = struct.pack(f"<{data.ndim}Q", *reversed(data.shape))
        infos.append(text(name) + struct.pack("<I", data.ndim) + shape + struct.pack("<IQ", tensor_type, offset))
        offset += size + len(padding(size))
    entries = metadata(config, TYPES[kind][1])
    with open(target, "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(items), len(entries)) + b"".join(entries) + b"".join(infos))
        file.write(padding(file.tell()))
        for name, data in items:
            stored = np.ascontiguousarray(quantized(data, kind) if is_quantized(name, data, kind) else data).tobytes()
            file.write(stored + padding(len(stored)))


main(*sys.argv[1:])
