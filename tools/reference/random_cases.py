"""Writes random cases: `python3 random_cases.py DIR --first 0 --count 300`. The same number always gives the same case."""
import argparse
import json
import pathlib
import random

import torch

import equations
import weight_files
from random_models import bert_buffers, bert_config, codegen_buffers, codegen_config, counted_positions, labels, padding, roberta_config, weights

ACTIVATIONS = ["gelu", "gelu_new", "relu", "silu", "tanh"]
ENCODERS = ["BertModel", "BertForPreTraining", "BertForMaskedLM", "BertForSequenceClassification", "BertForTokenClassification",
            "RobertaModel", "RobertaForMaskedLM", "RobertaForSequenceClassification", "RobertaForTokenClassification"]
DECODERS = ["CodeGenModel", "CodeGenForCausalLM"]


def random_config(choose):
    architecture = choose.choice(ENCODERS + 3 * DECODERS)
    common = {"vocab_size": choose.choice([11, 53, 97, 131, 257, 1001])}
    if architecture in DECODERS:
        return codegen_config(architecture, **common, **random_decoder(choose))
    family = roberta_config if architecture.startswith("Roberta") else bert_config
    heads = choose.randint(1, 6)
    if "Classification" in architecture:
        common.update(labels(choose.choice([1, 1, 2, 3, 6])))
    if "Sequence" in architecture:
        common["problem_type"] = choose.choice([None, None, "regression", "single_label_classification", "multi_label_classification"])
    return family(
        architecture, **common, num_attention_heads=heads, hidden_size=heads * choose.choice([2, 3, 5, 8, 13, 16, 20, 24, 64]),
        num_hidden_layers=choose.randint(1, 3), intermediate_size=choose.choice([1, 30, 77, 128]), hidden_act=choose.choice(ACTIVATIONS),
        max_position_embeddings=choose.choice([12, 33, 66, 130]), type_vocab_size=choose.randint(1, 3), pad_token_id=choose.choice([0, 1, 5]),
        tie_word_embeddings=choose.random() < 0.7, layer_norm_eps=choose.choice([1e-5, 1e-12]))


def random_decoder(choose):
    heads, head_dim, layout = choose.choice([4, 8, 12, 16]), choose.choice([2, 4, 6, 10, 14, 16, 18, 24, 30, 34, 48]), {}
    if choose.random() < 0.35:
        layout = {"mp_num": choose.choice([blocks for blocks in (1, 2, 3, 4, 6, 8, 12, 16) if heads % blocks == 0])}
    elif choose.random() < 0.2:
        heads, head_dim, layout = 8, 128, {"head_dim": 128}
    return {
        **layout, "n_embd": heads * head_dim, "n_head": heads, "n_layer": choose.randint(1, 3), "n_positions": choose.choice([17, 40, 70, 130]),
        "rotary_dim": choose.choice([None, head_dim] + [width for width in (2, 4, 8, 16, 32, 64) if width <= head_dim]),
        "n_inner": choose.choice([None, 1, 37, 100]), "activation_function": choose.choice(ACTIVATIONS),
        "tie_word_embeddings": choose.random() < 0.3, "layer_norm_epsilon": choose.choice([1e-5, 1e-6, 1e-12]),
    }


def random_inputs(config, choose, generator):
    decoder = config["model_type"] == "codegen"
    positions = config["n_positions" if decoder else "max_position_embeddings"]
    longest = positions - config["pad_token_id"] - 1 if config["model_type"] == "roberta" else positions
    batch, sequence = choose.randint(1, 5), min(longest, choose.choice([1, 2, 3, 7, 16, 33, longest]))
    integers = lambda high, *shape: torch.randint(0, high, shape, generator=generator)
    inputs, mask = {}, random_mask(choose, generator, batch, sequence)
    if choose.random() < 0.25:
        inputs["inputs_embeds"] = torch.randn(batch, sequence, config["n_embd" if decoder else "hidden_size"], generator=generator)
    else:
        inputs["input_ids"] = integers(config["vocab_size"], batch, sequence)
        if mask is not None and not decoder and choose.random() < 0.7:
            inputs["input_ids"].masked_fill_(mask == 0, config["pad_token_id"])
    if mask is not None:
        inputs["attention_mask"] = mask
    if choose.random() < 0.4:
        inputs["token_type_ids"] = integers(config["vocab_size" if decoder else "type_vocab_size"], batch, sequence)
    if choose.random() < 0.4:
        inputs["position_ids"] = integers(positions, choose.choice([1, batch]), sequence)
    elif mask is not None and sequence > 1 and choose.random() < 0.2:
        inputs["position_ids"] = counted_positions(mask)
    heads, layers = (config["n_head"], config["n_layer"]) if decoder else (config["num_attention_heads"], config["num_hidden_layers"])
    if choose.random() < 0.4:
        inputs["head_mask"] = choose.choice([torch.rand(heads, generator=generator), (torch.rand(layers, heads, generator=generator) < 0.5).float()])
    if choose.random() < 0.6 and not config["architectures"][0].endswith("Model"):
        inputs["labels"] = random_labels(config, choose, generator, batch, sequence, mask)
    if config["architectures"][0] == "BertForPreTraining" and choose.random() < 0.6:
        inputs["next_sentence_label"] = integers(2, batch)
    return inputs


def random_mask(choose, generator, batch, sequence):
    """None, all ones, padding on one side, or holes; every row keeps a token."""
    kind = choose.choice(["none", "ones", "right", "left", "holes", "holes"])
    if kind == "none":
        return None
    if kind in ("right", "left"):
        return padding([choose.randint(1, sequence) for _ in range(batch)], sequence, left=kind == "left")
    mask = (torch.rand(batch, sequence, generator=generator) < (0.6 if kind == "holes" else 1)).long()
    mask[torch.arange(batch), torch.randint(0, sequence, (batch,), generator=generator)] = 1
    return mask


def random_labels(config, choose, generator, batch, sequence, mask):
    architecture = config["architectures"][0]
    if "Sequence" in architecture:
        count = len(config["id2label"])
        kind = config["problem_type"] or ("regression" if count == 1 else choose.choice(["single_label_classification", "multi_label_classification"]))
        if kind == "single_label_classification":
            return torch.randint(0, count, (batch,), generator=generator)
        if kind == "regression":
            return torch.randn((batch, count) if count > 1 else (batch,), generator=generator)
        return (torch.rand(batch, count, generator=generator) < 0.5).float()
    classes = len(config["id2label"]) if "Token" in architecture else config["vocab_size"]
    targets = torch.randint(0, classes, (batch, sequence), generator=generator)
    hidden = choose.choice([None, torch.rand(batch, sequence, generator=generator) < 0.5, targets >= 0, None if mask is None else mask == 0])
    return targets if hidden is None else targets.masked_fill(hidden, equations.IGNORED)


def random_file(config, tensors, choose):
    """The tensors as a file may hold them: twins of tied weights, buffers, older names, no prefix."""
    tensors = dict(tensors)
    head = "lm_head" if config["model_type"] == "roberta" else "cls.predictions"
    if f"{head}.bias" in tensors and config["model_type"] != "codegen" and choose.random() < 0.6:
        bias = tensors[f"{head}.bias"] if choose.random() < 0.5 else tensors.pop(f"{head}.bias")
        tensors[f"{head}.decoder.bias"] = bias.clone()
    if choose.random() < 0.4:
        tensors.update(codegen_buffers(config) if config["model_type"] == "codegen" else bert_buffers(config))
    if choose.random() < 0.3:
        for norm in ("LayerNorm.", "layer_norm."):
            tensors = {name.replace(norm + "weight", norm + "gamma").replace(norm + "bias", norm + "beta"): tensor for name, tensor in tensors.items()}
    if choose.random() < 0.35:
        prefix = "transformer." if config["model_type"] == "codegen" else config["model_type"] + "."
        tensors = {name[len(prefix):] if name.startswith(prefix) else name: tensor for name, tensor in tensors.items()}
    return tensors


def write_case(directory, number):
    choose, generator = random.Random(number), torch.Generator().manual_seed(number)
    config = random_config(choose)
    inputs = random_inputs(config, choose, generator)
    types = choose.choice([["F32"], ["F32"], ["F16"], ["BF16"], ["F64"], ["F32", "F16", "BF16", "F64"]])
    stored = {name: tensor.to(weight_files.DTYPES[choose.choice(types)]) for name, tensor in weights(config, generator).items()}
    outputs = equations.run(config, equations.canonical(config, stored), inputs)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    weight_files.write_shards(directory, random_file(config, stored, choose), choose.choice([1, 2, 5]))
    weight_files.write(directory / "expected.safetensors", {**inputs, **outputs})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    arguments = parser.parse_args()
    with torch.no_grad():
        for number in range(arguments.first, arguments.first + arguments.count):
            write_case(arguments.directory / f"{number:05d}", number)
