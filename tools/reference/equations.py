"""BERT, RoBERTa and CodeGen as plain equations over a dictionary of weights.

Written from the papers (arXiv:1810.04805, 1907.11692, 2203.13474) and from what the classes of transformers 4.46 are
documented to do with their inputs: eager attention, float32, hidden keys masked by adding the smallest float32.
Nothing here shares code with the C# runtime, and nothing comes from transformers: it is a second opinion.

`run(config, weights, inputs)` returns every output under the name that reference files give it. `config` is a dictionary
as in config.json, `weights` has canonical names (see `canonical`).
"""
import math

import torch
from torch.nn import functional as F

SMALLEST = torch.finfo(torch.float32).min
IGNORED = -100

ACTIVATIONS = {
    "gelu": lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))),
    "gelu_new": lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))),
    "relu": torch.relu,
    "silu": lambda x: x * torch.sigmoid(x),
    "tanh": torch.tanh,
}


def run(config, weights, inputs):
    """The outputs of the class that config names, by name."""
    architecture = config["architectures"][0]
    if architecture.startswith("CodeGen"):
        return codegen(config, weights, inputs, head=architecture == "CodeGenForCausalLM")
    return bert(config, weights, inputs, architecture)


def canonical(config, weights):
    """Weights in float32 under today's names: with the body's prefix, weight and bias in place of gamma and beta."""
    prefix = "transformer." if config["model_type"] == "codegen" else config["model_type"] + "."
    inside = ("embeddings.", "encoder.", "pooler.", "wte.", "h.", "ln_f.")
    result = {}
    for name, tensor in weights.items():
        name = name.replace(".gamma", ".weight").replace(".beta", ".bias")
        result[prefix + name if name.startswith(inside) else name] = tensor.float()
    return result


def linear(x, weights, name):
    return F.linear(x, weights[name + ".weight"], weights.get(name + ".bias"))


def layer_norm(x, weights, name, eps):
    return F.layer_norm(x, x.shape[-1:], weights[name + ".weight"], weights[name + ".bias"], eps)


def head_factors(inputs, layer):
    """[heads, 1, 1] factors of a layer's attention probabilities; head_mask is [heads] or [layers, heads]."""
    mask = inputs.get("head_mask")
    return 1 if mask is None else (mask if mask.dim() == 1 else mask[layer])[:, None, None]


def attend(query, key, value, hidden, scale_last, factors):
    """softmax(q k^T / sqrt(head_dim)) v over [batch, heads, sequence, head_dim]; `hidden` is added to the scores.

    BERT divides the scores and then hides keys; CodeGen hides them first (scale_last). A query that sees no key at all
    gets equal probabilities either way, because the smallest float absorbs the scores.
    """
    scores = query @ key.transpose(-1, -2)
    root = math.sqrt(query.shape[-1])
    scores = (scores + hidden) / root if scale_last else scores / root + hidden
    probabilities = torch.softmax(scores, dim=-1) * factors
    return probabilities @ value, probabilities


def split_heads(x, heads):
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def join_heads(x):
    return x.transpose(1, 2).flatten(2)


# BERT and RoBERTa

def bert(c, w, inputs, architecture):
    family = c["model_type"]
    x, states, attentions = bert_body(c, w, inputs, family)
    labels = inputs.get("labels")
    outputs = {f"hidden_states.{i}": state for i, state in enumerate(states)}
    outputs.update({f"attentions.{i}": attention for i, attention in enumerate(attentions)})
    pool = lambda: torch.tanh(linear(x[:, 0], w, f"{family}.pooler.dense"))
    if architecture.endswith("Model"):
        outputs["last_hidden_state"] = x
        if f"{family}.pooler.dense.weight" in w:
            outputs["pooler_output"] = pool()
    elif architecture.endswith("MaskedLM"):
        outputs["logits"] = vocabulary_scores(c, w, x, family)
        if labels is not None:
            outputs["loss"] = cross_entropy(outputs["logits"], labels)
    elif architecture.endswith("PreTraining"):
        outputs["prediction_logits"] = vocabulary_scores(c, w, x, family)
        outputs["seq_relationship_logits"] = linear(pool(), w, "cls.seq_relationship")
        if labels is not None and "next_sentence_label" in inputs:
            outputs["loss"] = cross_entropy(outputs["prediction_logits"], labels) \
                + cross_entropy(outputs["seq_relationship_logits"], inputs["next_sentence_label"])
    elif architecture.endswith("TokenClassification"):
        outputs["logits"] = linear(x, w, "classifier")
        if labels is not None:
            outputs["loss"] = cross_entropy(outputs["logits"], labels)
    else:
        outputs["logits"] = linear(pool(), w, "classifier") if family == "bert" else \
            linear(torch.tanh(linear(x[:, 0], w, "classifier.dense")), w, "classifier.out_proj")
        if labels is not None:
            outputs["loss"] = sequence_loss(c, outputs["logits"], labels)
    return outputs


def bert_body(c, w, inputs, family):
    act, eps, heads = ACTIVATIONS[c["hidden_act"]], c["layer_norm_eps"], c["num_attention_heads"]
    x = bert_embeddings(c, w, inputs, family)
    mask = inputs.get("attention_mask", torch.ones(x.shape[:2], dtype=torch.int64))
    hidden = (1 - mask[:, None, None, :].float()) * SMALLEST
    states, attentions = [x], []
    for i in range(c["num_hidden_layers"]):
        layer = f"{family}.encoder.layer.{i}"
        q, k, v = (split_heads(linear(x, w, f"{layer}.attention.self.{part}"), heads) for part in ("query", "key", "value"))
        context, probabilities = attend(q, k, v, hidden, False, head_factors(inputs, i))
        x = layer_norm(x + linear(join_heads(context), w, f"{layer}.attention.output.dense"), w, f"{layer}.attention.output.LayerNorm", eps)
        inner = act(linear(x, w, f"{layer}.intermediate.dense"))
        x = layer_norm(x + linear(inner, w, f"{layer}.output.dense"), w, f"{layer}.output.LayerNorm", eps)
        states.append(x)
        attentions.append(probabilities)
    return x, states, attentions


def bert_embeddings(c, w, inputs, family):
    name = f"{family}.embeddings"
    ids = inputs.get("input_ids")
    words = inputs["inputs_embeds"] if ids is None else w[f"{name}.word_embeddings.weight"][ids]
    batch, sequence = words.shape[:2]
    positions = inputs.get("position_ids")
    if positions is None:
        positions = torch.arange(sequence).expand(batch, sequence)
        if family == "roberta":
            padding = c["pad_token_id"]
            real = torch.ones(batch, sequence, dtype=torch.int64) if ids is None else (ids != padding).long()
            positions = real.cumsum(1) * real + padding         # counted over the tokens that are not padding
    types = inputs.get("token_type_ids", torch.zeros(batch, sequence, dtype=torch.int64))
    x = words + w[f"{name}.token_type_embeddings.weight"][types] + w[f"{name}.position_embeddings.weight"][positions]
    return layer_norm(x, w, f"{name}.LayerNorm", c["layer_norm_eps"])


def vocabulary_scores(c, w, x, family):
    """act and LayerNorm of a dense layer, then the decoder: the token embeddings, unless the configuration unties them."""
    if family == "roberta":
        name, x = "lm_head", layer_norm(ACTIVATIONS["gelu"](linear(x, w, "lm_head.dense")), w, "lm_head.layer_norm", c["layer_norm_eps"])
    else:
        name, x = "cls.predictions", ACTIVATIONS[c["hidden_act"]](linear(x, w, "cls.predictions.transform.dense"))
        x = layer_norm(x, w, "cls.predictions.transform.LayerNorm", c["layer_norm_eps"])
    decoder = w[f"{family}.embeddings.word_embeddings.weight" if c.get("tie_word_embeddings", True) else f"{name}.decoder.weight"]
    return F.linear(x, decoder, w.get(f"{name}.bias", w.get(f"{name}.decoder.bias")))


# CodeGen

def codegen(c, w, inputs, head):
    act, eps = ACTIVATIONS[c["activation_function"]], c["layer_norm_epsilon"]
    ids = inputs.get("input_ids")
    x = inputs["inputs_embeds"] if ids is None else w["transformer.wte.weight"][ids]
    batch, sequence = x.shape[:2]
    if "token_type_ids" in inputs:
        x = x + w["transformer.wte.weight"][inputs["token_type_ids"]]
    positions = inputs.get("position_ids", torch.arange(sequence).expand(batch, sequence))
    visible = torch.ones(sequence, sequence).tril().bool()[None, None]
    if "attention_mask" in inputs:
        visible = visible & inputs["attention_mask"][:, None, None, :].bool()
    hidden = torch.zeros(visible.shape).masked_fill(~visible, SMALLEST)
    outputs, states, past = {}, [], {}
    for i in range(c["n_layer"]):
        states.append(x)
        layer = f"transformer.h.{i}"
        normed = layer_norm(x, w, f"{layer}.ln_1", eps)
        q, k, v = codegen_heads(c, linear(normed, w, f"{layer}.attn.qkv_proj"))
        q, k = rotate(c, q, positions), rotate(c, k, positions)
        context, outputs[f"attentions.{i}"] = attend(q, k, v, hidden, True, head_factors(inputs, i))
        attn = linear(join_heads(context), w, f"{layer}.attn.out_proj")
        x = x + attn + linear(act(linear(normed, w, f"{layer}.mlp.fc_in")), w, f"{layer}.mlp.fc_out")
        past[f"past_key_values.{i}.key"], past[f"past_key_values.{i}.value"] = k, v
    x = layer_norm(x, w, "transformer.ln_f", eps)
    states.append(x)
    outputs.update({f"hidden_states.{i}": state for i, state in enumerate(states)}, **past)
    if not head:
        return {**outputs, "last_hidden_state": x}
    decoder = w["transformer.wte.weight" if c.get("tie_word_embeddings", False) else "lm_head.weight"]
    outputs["logits"] = F.linear(x, decoder, w["lm_head.bias"])
    if "labels" in inputs:
        outputs["loss"] = cross_entropy(outputs["logits"][:, :-1], inputs["labels"][:, 1:])
    return outputs


def codegen_heads(c, qkv):
    """[batch, sequence, 3 n_embd] -> three [batch, heads, sequence, head_dim]; the rows lie in blocks of [query | value | key]."""
    blocks = c.get("mp_num") or (8 if c.get("head_dim") in (128, 256) else 4)
    head_dim = c["n_embd"] // c["n_head"]
    q, v, k = qkv.view(*qkv.shape[:2], blocks, 3, c["n_head"] // blocks, head_dim).unbind(3)
    return tuple(part.flatten(2, 3).transpose(1, 2) for part in (q, k, v))


def rotate(c, x, positions):
    """Rotates the pairs (0, 1), (2, 3), ... of the first rotary_dim numbers of each head by position * 10000^(-2i / rotary_dim)."""
    width = c["rotary_dim"] or x.shape[-1]
    frequencies = 1.0 / (10000 ** (torch.arange(0, width, 2) / width))
    angles = positions[:, None, :, None].float() * frequencies
    even, odd = x[..., 0:width:2], x[..., 1:width:2]
    pairs = torch.stack((even * angles.cos() - odd * angles.sin(), odd * angles.cos() + even * angles.sin()), dim=-1)
    return torch.cat((pairs.flatten(-2), x[..., width:]), dim=-1)


# Losses

def cross_entropy(logits, labels):
    """Mean over the labels that are not -100; NaN where there is none. [1], as reference files hold it."""
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=IGNORED).reshape(1)


def sequence_loss(c, logits, labels):
    """The loss that problem_type names, or that the labels' number and type decide."""
    whole = labels.dtype in (torch.int64, torch.int32)
    kind = c.get("problem_type") or ("regression" if logits.shape[1] == 1 else "single_label_classification" if whole else "multi_label_classification")
    if kind == "regression":
        return ((logits.reshape(labels.shape) - labels) ** 2).mean().reshape(1)
    if kind == "single_label_classification":
        return cross_entropy(logits, labels)
    return F.binary_cross_entropy_with_logits(logits, labels).reshape(1)
