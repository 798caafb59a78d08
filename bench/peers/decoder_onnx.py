"""Writes a CodeGen checkpoint as an ONNX graph in float32, with ONNX Runtime's GroupQueryAttention (rotary embedding and KV cache
inside) and scores of the last token only: the fastest form of it that ONNX Runtime has.

    python3 decoder_onnx.py CHECKPOINT_DIRECTORY OUTPUT_DIRECTORY
"""
import json
import os
import sys

import numpy as np
from onnx import TensorProto

from onnx_graph import Graph, WeightFile
from safetensors import Checkpoint, split_qkv

CONTRIB = "com.microsoft"


def rotary(graph, width, positions):
    angles = np.arange(positions)[:, None] / 10000 ** (np.arange(0, width, 2) / width)
    graph.weight("cos", np.cos(angles).astype(np.float32))
    graph.weight("sin", np.sin(angles).astype(np.float32))


def attention(graph, checkpoint, config, x, i):
    name, heads = f"transformer.h.{i}.attn", config["n_head"]
    fused = np.concatenate(split_qkv(checkpoint[f"{name}.qkv_proj.weight"], heads))
    qkv = graph.op("MatMul", [x, graph.weight(f"{name}.qkv_t", fused.T)], f"{name}/qkv")
    parts = graph.op("Split", [qkv, "thirds"], [f"{name}/query", f"{name}/key", f"{name}/value"], axis=-1)
    cache = [f"past_key_{i}", f"past_value_{i}"]
    graph.op("GroupQueryAttention", [*parts, *cache, "seqlens_k", "total_sequence_length", "cos", "sin"],
             [f"{name}/context", f"present_key_{i}", f"present_value_{i}"], domain=CONTRIB,
             num_heads=heads, kv_num_heads=heads, do_rotary=1, rotary_interleaved=1)
    return graph.linear(f"{name}/context", f"{name}.out_proj", checkpoint, bias=False)


def block(graph, checkpoint, config, x, i):
    name = f"transformer.h.{i}"
    normed = graph.layer_norm(x, f"{name}.ln_1", checkpoint, config["layer_norm_epsilon"])
    attended = attention(graph, checkpoint, config, normed, i)
    wide = graph.op("FastGelu", [graph.linear(normed, f"{name}.mlp.fc_in", checkpoint)], f"{name}/gelu", domain=CONTRIB)
    fed = graph.linear(wide, f"{name}.mlp.fc_out", checkpoint)
    return graph.op("Add", [graph.op("Add", [attended, fed], f"{name}/branches"), x], f"{name}/residual")


def main(source, target):
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(source, "config.json")) as file:
        config = json.load(file)
    checkpoint = Checkpoint(os.path.join(source, "model.safetensors"))
    weights = WeightFile(os.path.join(target, "weights.bin"))
    graph = Graph(weights)
    n, heads, layers = config["n_embd"], config["n_head"], config["n_layer"]
    graph.constant("thirds", np.array([n, n, n], np.int64))
    graph.constant("last", np.array([-1], np.int64))
    rotary(graph, config["rotary_dim"], config["n_positions"])

    x = graph.op("Gather", [graph.weight("wte", checkpoint["transformer.wte.weight"]), "input_ids"], "embedded")
    for i in range(layers):
        x = block(graph, checkpoint, config, x, i)
    x = graph.op("Gather", [x, "last"], "last_token", axis=1)
    x = graph.layer_norm(x, "transformer.ln_f", checkpoint, config["layer_norm_epsilon"])
    graph.op("Identity", [graph.linear(x, "lm_head", checkpoint)], "logits")

    def cache(when, length):
        return [(f"{when}_{part}_{i}", TensorProto.FLOAT, [1, heads, length, n // heads]) for i in range(layers) for part in ("key", "value")]
    inputs = [("input_ids", TensorProto.INT64, [1, "sequence"]), ("seqlens_k", TensorProto.INT32, [1]), ("total_sequence_length", TensorProto.INT32, [1])]
    outputs = [("logits", TensorProto.FLOAT, [1, 1, config["vocab_size"]])]
    graph.save(os.path.join(target, "decoder.onnx"), inputs + cache("past", "past"), outputs + cache("present", "total"))
    weights.close()


main(*sys.argv[1:])
