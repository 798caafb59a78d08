"""Writes a decoder's checkpoint as a GGUF file. The matrices are those of the checkpoint, in float16 or in blocks of integers.

    python3 decoder_gguf.py CHECKPOINT_DIRECTORY OUTPUT.gguf [f16|q8_0|q4_0]

Qwen2 and StarCoder are llama.cpp's own graphs of the same models. CodeGen becomes GPT-NeoX, the closest one that llama.cpp has: parallel
attention and feed-forward, partial rotary embedding, GELU. What differs there: GPT-NeoX rotates halves instead of pairs (the rows of query and
key are put in that order, which gives the same scores), has a second LayerNorm (here a copy of the first) and no bias of the vocabulary scores.
"""
import json
import os
import sys

import numpy as np

import gguf
from safetensors import Checkpoint, split_qkv

# Vectors are float32 and matrices as stored, as llama.cpp wants them.
PARTS = ("weight", "bias")


def codegen(checkpoint, config):
    n, heads, rotary = config["n_embd"], config["n_head"], config["rotary_dim"]

    def halves(matrix):
        """Rows of query or key: the rotated pairs (2i, 2i+1) of each head become (i, i + rotary/2)."""
        rows = matrix.reshape(heads, -1, matrix.shape[1])
        order = np.r_[np.arange(0, rotary, 2), np.arange(1, rotary, 2), np.arange(rotary, rows.shape[1])]
        return rows[:, order].reshape(matrix.shape)

    def tensors():
        yield "token_embd.weight", checkpoint.stored("transformer.wte.weight")
        for i in range(config["n_layer"]):
            source, target = f"transformer.h.{i}", f"blk.{i}"
            query, key, value = split_qkv(checkpoint.stored(f"{source}.attn.qkv_proj.weight"), heads)
            yield f"{target}.attn_qkv.weight", np.concatenate([halves(query), halves(key), value])
            yield f"{target}.attn_qkv.bias", np.zeros(3 * n, np.float32)
            yield f"{target}.attn_output.weight", checkpoint.stored(f"{source}.attn.out_proj.weight")
            yield f"{target}.attn_output.bias", np.zeros(n, np.float32)
            for norm in ("attn_norm", "ffn_norm"):
                for part in PARTS:
                    yield f"{target}.{norm}.{part}", checkpoint[f"{source}.ln_1.{part}"]
            for ours, theirs in (("fc_in", "ffn_up"), ("fc_out", "ffn_down")):
                yield f"{target}.{theirs}.weight", checkpoint.stored(f"{source}.mlp.{ours}.weight")
                yield f"{target}.{theirs}.bias", checkpoint[f"{source}.mlp.{ours}.bias"]
        for part in PARTS:
            yield f"output_norm.{part}", checkpoint[f"transformer.ln_f.{part}"]
        yield "output.weight", checkpoint.stored("lm_head.weight")

    metadata = {
        "context_length": config["n_positions"], "embedding_length": n, "block_count": config["n_layer"], "feed_forward_length": 4 * n,
        "attention.head_count": heads, "rope.dimension_count": rotary, "use_parallel_residual": True,
        "attention.layer_norm_epsilon": config["layer_norm_epsilon"], "vocab_size": config["vocab_size"],
    }
    # Embeddings that are looked up only stay as they are.
    return "gptneox", metadata, tensors(), ("token_embd.weight",)


def renamed(checkpoint, names):
    """Tensors of the checkpoint under llama.cpp's names."""
    for ours, theirs in names:
        matrix = checkpoint.stored(ours)
        yield theirs, matrix if matrix.ndim == 2 else checkpoint[ours]


def qwen2(checkpoint, config):
    def names():
        yield "model.embed_tokens.weight", "token_embd.weight"
        for i in range(config["num_hidden_layers"]):
            source, target = f"model.layers.{i}", f"blk.{i}"
            yield f"{source}.input_layernorm.weight", f"{target}.attn_norm.weight"
            for letter in "qkv":
                for part in PARTS:
                    yield f"{source}.self_attn.{letter}_proj.{part}", f"{target}.attn_{letter}.{part}"
            yield f"{source}.self_attn.o_proj.weight", f"{target}.attn_output.weight"
            yield f"{source}.post_attention_layernorm.weight", f"{target}.ffn_norm.weight"
            for name in ("gate", "up", "down"):
                yield f"{source}.mlp.{name}_proj.weight", f"{target}.ffn_{name}.weight"
        yield "model.norm.weight", "output_norm.weight"

    metadata = {
        "context_length": config["max_position_embeddings"], "embedding_length": config["hidden_size"], "block_count": config["num_hidden_layers"],
        "feed_forward_length": config["intermediate_size"], "attention.head_count": config["num_attention_heads"],
        "attention.head_count_kv": config["num_key_value_heads"], "rope.freq_base": float(config["rope_theta"]),
        "attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
    }
    return "qwen2", metadata, renamed(checkpoint, names()), ()


def gpt_bigcode(checkpoint, config):
    def both(source, target):
        return ((f"{source}.{part}", f"{target}.{part}") for part in PARTS)

    def names():
        yield "transformer.wte.weight", "token_embd.weight"
        yield "transformer.wpe.weight", "position_embd.weight"
        for i in range(config["n_layer"]):
            for ours, theirs in (("ln_1", "attn_norm"), ("attn.c_attn", "attn_qkv"), ("attn.c_proj", "attn_output"), ("ln_2", "ffn_norm"),
                                 ("mlp.c_fc", "ffn_up"), ("mlp.c_proj", "ffn_down")):
                yield from both(f"transformer.h.{i}.{ours}", f"blk.{i}.{theirs}")
        yield from both("transformer.ln_f", "output_norm")

    metadata = {
        "context_length": config["n_positions"], "embedding_length": config["n_embd"], "block_count": config["n_layer"],
        "feed_forward_length": config["n_inner"], "attention.head_count": config["n_head"], "attention.head_count_kv": 1,
        "attention.layer_norm_epsilon": config["layer_norm_epsilon"],
    }
    return "starcoder", metadata, renamed(checkpoint, names()), ("position_embd.weight",)


def main(source, target, kind="f16"):
    with open(os.path.join(source, "config.json")) as file:
        config = json.load(file)
    checkpoint = Checkpoint(os.path.join(source, "model.safetensors"))
    family = {"codegen": codegen, "qwen2": qwen2, "gpt_bigcode": gpt_bigcode}[config["model_type"]]
    architecture, metadata, tensors, keep = family(checkpoint, config)
    gguf.write(target, architecture, metadata, config["vocab_size"], tensors, kind, keep)


main(*sys.argv[1:])
