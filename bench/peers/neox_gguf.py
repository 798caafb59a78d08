"""Writes a CodeGen checkpoint as a GGUF file of the GPT-NeoX architecture, the closest one that llama.cpp has: parallel attention
and feed-forward, partial rotary embedding, GELU. The matrices are those of the checkpoint, in float16.

    python3 neox_gguf.py CHECKPOINT_DIRECTORY OUTPUT.gguf

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
MOSTLY_F16, NORMAL_TOKEN, CONTROL_TOKEN = 1, 1, 3


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


def metadata(config):
    def u32(key, value):
        return entry(f"gptneox.{key}", UINT32, struct.pack("<I", value))
    vocabulary = config["vocab_size"]
    # The bench feeds ids; the vocabulary only has to exist.
    tokens = [text(f"token{i}") for i in range(vocabulary - 1)] + [text("<|endoftext|>")]
    kinds = [NORMAL_TOKEN] * (vocabulary - 1) + [CONTROL_TOKEN]
    return [
        entry("general.architecture", STRING, text("gptneox")),
        entry("general.name", STRING, text("synthetic")),
        entry("general.file_type", UINT32, struct.pack("<I", MOSTLY_F16)),
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


def padding(length):
    return b"\0" * (-length % ALIGNMENT)


def main(source, target):
    with open(os.path.join(source, "config.json")) as file:
        config = json.load(file)
    checkpoint = Checkpoint(os.path.join(source, "model.safetensors"))
    items, offset, infos = list(tensors(checkpoint, config)), 0, []
    for name, data in items:
        kind = F16_TENSOR if data.dtype == np.float16 else F32_TENSOR
        shape = struct.pack(f"<{data.ndim}Q", *reversed(data.shape))
        infos.append(text(name) + struct.pack("<I", data.ndim) + shape + struct.pack("<IQ", kind, offset))
        offset += data.nbytes + len(padding(data.nbytes))
    entries = metadata(config)
    with open(target, "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(items), len(entries)) + b"".join(entries) + b"".join(infos))
        file.write(padding(file.tell()))
        for _, data in items:
            file.write(np.ascontiguousarray(data).tobytes() + padding(data.nbytes))


main(*sys.argv[1:])
