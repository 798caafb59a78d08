"""Writes a BERT or RoBERTa checkpoint as ONNX graphs of standard operators: body.onnx (last hidden state) and, where it has a head over the
vocabulary, full.onnx (its scores), which share weights.bin.

    python3 encoder_onnx.py CHECKPOINT_DIRECTORY OUTPUT_DIRECTORY [int8]

int8: linear layers (decoder included) are quantized dynamically, as onnxruntime.quantization.quantize_dynamic does by default: int8 matrices with
one scale each, uint8 inputs; embeddings and what attention multiplies stay float32.
"""
import json
import math
import os
import sys

import numpy as np
from onnx import TensorProto

from onnx_graph import Graph, WeightFile
from safetensors import Checkpoint


def gelu(graph, x, name):
    """x/2 · (1 + erf(x/√2)), in the operators that exporters write and ONNX Runtime fuses."""
    erf = graph.op("Erf", [graph.op("Div", [x, "sqrt2"], f"{name}/div")], f"{name}/erf")
    product = graph.op("Mul", [x, graph.op("Add", [erf, "one"], f"{name}/plus1")], f"{name}/mul")
    return graph.op("Mul", [product, "half"], f"{name}/gelu")


def embeddings(graph, checkpoint, config, prefix):
    name = f"{prefix}.embeddings"
    table = graph.weight(f"{name}.word_embeddings.weight", checkpoint[f"{name}.word_embeddings.weight"])
    positions = graph.weight(f"{name}.position_embeddings.weight", checkpoint[f"{name}.position_embeddings.weight"])
    segment = graph.weight(f"{name}.token_type_0", checkpoint[f"{name}.token_type_embeddings.weight"][0])
    words = graph.op("Gather", [table, "input_ids"], f"{name}/words")
    # RoBERTa counts positions from padding_idx + 1; padding stands at the end, so columns may be counted.
    first = graph.constant("first_position", np.array([config["pad_token_id"] + 1 if prefix == "roberta" else 0], np.int64))
    length = graph.op("Slice", [graph.op("Shape", ["input_ids"], "shape"), "i1", "i2"], "length")
    places = graph.op("Slice", [positions, first, graph.op("Add", [length, first], "last_position")], f"{name}/positions")
    x = graph.op("Add", [graph.op("Add", [words, segment], f"{name}/words_segment"), places], f"{name}/sum")
    return graph.layer_norm(x, f"{name}.LayerNorm", checkpoint, config["layer_norm_eps"])


def attention(graph, checkpoint, config, x, name):
    def heads(part, order):
        projected = graph.linear(x, f"{name}.self.{part}", checkpoint)
        split = graph.op("Reshape", [projected, "split_heads"], f"{name}/{part}/split")
        return graph.op("Transpose", [split], f"{name}/{part}/heads", perm=order)
    query, key, value = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]), heads("value", [0, 2, 1, 3])
    scores = graph.op("Div", [graph.op("MatMul", [query, key], f"{name}/qk"), "sqrt_head_dim"], f"{name}/scaled")
    probabilities = graph.op("Softmax", [graph.op("Add", [scores, "hidden_keys"], f"{name}/masked")], f"{name}/softmax", axis=-1)
    context = graph.op("Transpose", [graph.op("MatMul", [probabilities, value], f"{name}/av")], f"{name}/tokens", perm=[0, 2, 1, 3])
    return graph.linear(graph.op("Reshape", [context, "join_heads"], f"{name}/context"), f"{name}.output.dense", checkpoint)


def layer(graph, checkpoint, config, x, name):
    epsilon = config["layer_norm_eps"]
    attended = graph.op("Add", [attention(graph, checkpoint, config, x, f"{name}.attention"), x], f"{name}/residual1")
    x = graph.layer_norm(attended, f"{name}.attention.output.LayerNorm", checkpoint, epsilon)
    wide = gelu(graph, graph.linear(x, f"{name}.intermediate.dense", checkpoint), f"{name}.intermediate")
    fed = graph.op("Add", [graph.linear(wide, f"{name}.output.dense", checkpoint), x], f"{name}/residual2")
    return graph.layer_norm(fed, f"{name}.output.LayerNorm", checkpoint, epsilon)


def masked_lm_head(graph, checkpoint, config, x, prefix):
    transform = "lm_head" if prefix == "roberta" else "cls.predictions.transform"
    norm = f"{transform}.layer_norm" if prefix == "roberta" else f"{transform}.LayerNorm"
    bias = "lm_head.bias" if prefix == "roberta" else "cls.predictions.bias"
    x = gelu(graph, graph.linear(x, f"{transform}.dense", checkpoint), transform)
    x = graph.layer_norm(x, norm, checkpoint, config["layer_norm_eps"])
    scores = graph.matmul(x, "decoder.weight_t", checkpoint[f"{prefix}.embeddings.word_embeddings.weight"].T, "decoder/matmul")
    return graph.op("Add", [scores, graph.weight(bias, checkpoint[bias])], "decoder/add")


def build(checkpoint, config, weights, full, path, int8):
    prefix, hidden, heads = config["model_type"], config["hidden_size"], config["num_attention_heads"]
    graph = Graph(weights, int8)
    for name, value in dict(one=1, half=0.5, sqrt2=math.sqrt(2), sqrt_head_dim=math.sqrt(hidden // heads), hide=-1e9).items():
        graph.constant(name, np.float32(value))
    for name, value in dict(i1=[1], i2=[2], i12=[1, 2], split_heads=[0, 0, heads, hidden // heads], join_heads=[0, 0, hidden]).items():
        graph.constant(name, np.array(value, np.int64))
    mask = graph.op("Unsqueeze", [graph.op("Cast", ["attention_mask"], "mask/float", to=TensorProto.FLOAT), "i12"], "mask/4d")
    graph.op("Mul", [graph.op("Sub", ["one", mask], "mask/hidden"), "hide"], "hidden_keys")

    x = embeddings(graph, checkpoint, config, prefix)
    for i in range(config["num_hidden_layers"]):
        x = layer(graph, checkpoint, config, x, f"{prefix}.encoder.layer.{i}")
    output, width = ("logits", config["vocab_size"]) if full else ("last_hidden_state", hidden)
    graph.op("Identity", [masked_lm_head(graph, checkpoint, config, x, prefix) if full else x], output)
    graph.save(path, [(name, TensorProto.INT64, ["batch", "sequence"]) for name in ("input_ids", "attention_mask")],
               [(output, TensorProto.FLOAT, ["batch", "sequence", width])])


def main(source, target, kind="f32"):
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(source, "config.json")) as file:
        config = json.load(file)
    checkpoint = Checkpoint(os.path.join(source, "model.safetensors"))
    weights = WeightFile(os.path.join(target, "weights.bin"))
    build(checkpoint, config, weights, False, os.path.join(target, "body.onnx"), kind == "int8")
    if config["architectures"][0].endswith(("ForMaskedLM", "ForPreTraining")):
        build(checkpoint, config, weights, True, os.path.join(target, "full.onnx"), kind == "int8")
    weights.close()


main(*sys.argv[1:])
