"""Random configurations, weights and inputs: the material that cases are made of."""
import torch

LABELS = {"0": "O", "1": "B-NAME", "2": "I-NAME", "3": "B-KEY", "4": "I-KEY"}


def labels(count):
    return {"id2label": {str(i): f"LABEL_{i}" for i in range(count)}, "label2id": {f"LABEL_{i}": i for i in range(count)}}


def bert_config(architecture, **changes):
    config = {
        "architectures": [architecture], "model_type": "bert", "vocab_size": 97, "hidden_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 3, "intermediate_size": 40, "hidden_act": "gelu", "max_position_embeddings": 20, "type_vocab_size": 2,
        "layer_norm_eps": 1e-12, "pad_token_id": 0, "tie_word_embeddings": True, "problem_type": None,
    }
    return {**config, **changes}


def roberta_config(architecture, **changes):
    family = {"model_type": "roberta", "layer_norm_eps": 1e-5, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "type_vocab_size": 1}
    return {**bert_config(architecture), **family, **changes}


def codegen_config(architecture="CodeGenForCausalLM", **changes):
    config = {
        "architectures": [architecture], "model_type": "codegen", "vocab_size": 97, "n_positions": 24, "n_ctx": 24, "n_embd": 32,
        "n_layer": 2, "n_head": 4, "rotary_dim": 4, "n_inner": None, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
        "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False,
    }
    return {**config, **changes}


def weights(config, generator):
    """A class's weights under canonical names, large enough that attention is far from uniform."""
    build = codegen_weights if config["model_type"] == "codegen" else bert_weights
    result = {}
    for name, shape in build(config):
        noise = torch.randn(shape, generator=generator)
        if len(shape) == 2:
            scale = 0.8 if "embeddings" in name or ".wte." in name else 1.5 / shape[1] ** 0.5
            result[name] = noise * scale
        else:
            is_gain = name.endswith(".weight")
            result[name] = 1 + 0.3 * noise if is_gain else 0.3 * noise
    return result


def linear(name, inputs, outputs, bias=True):
    return [(f"{name}.weight", (outputs, inputs))] + ([(f"{name}.bias", (outputs,))] if bias else [])


def layer_norm(name, width):
    return [(f"{name}.weight", (width,)), (f"{name}.bias", (width,))]


def bert_weights(c):
    family, hidden, architecture = c["model_type"], c["hidden_size"], c["architectures"][0]
    embeddings = f"{family}.embeddings"
    yield f"{embeddings}.word_embeddings.weight", (c["vocab_size"], hidden)
    yield f"{embeddings}.position_embeddings.weight", (c["max_position_embeddings"], hidden)
    yield f"{embeddings}.token_type_embeddings.weight", (c["type_vocab_size"], hidden)
    yield from layer_norm(f"{embeddings}.LayerNorm", hidden)
    for i in range(c["num_hidden_layers"]):
        layer = f"{family}.encoder.layer.{i}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            yield from linear(f"{layer}.attention.{part}", hidden, hidden)
        yield from layer_norm(f"{layer}.attention.output.LayerNorm", hidden)
        yield from linear(f"{layer}.intermediate.dense", hidden, c["intermediate_size"])
        yield from linear(f"{layer}.output.dense", c["intermediate_size"], hidden)
        yield from layer_norm(f"{layer}.output.LayerNorm", hidden)
    if architecture in ("BertModel", "RobertaModel", "BertForPreTraining", "BertForSequenceClassification"):
        yield from linear(f"{family}.pooler.dense", hidden, hidden)
    yield from bert_head(c, family, hidden, architecture)


def bert_head(c, family, hidden, architecture):
    if architecture in ("BertForMaskedLM", "BertForPreTraining", "RobertaForMaskedLM"):
        head = "lm_head" if family == "roberta" else "cls.predictions"
        transform = head if family == "roberta" else f"{head}.transform"
        yield from linear(f"{transform}.dense", hidden, hidden)
        yield from layer_norm(f"{transform}.layer_norm" if family == "roberta" else f"{transform}.LayerNorm", hidden)
        yield f"{head}.bias", (c["vocab_size"],)
        if not c["tie_word_embeddings"]:
            yield f"{head}.decoder.weight", (c["vocab_size"], hidden)
    if architecture == "BertForPreTraining":
        yield from linear("cls.seq_relationship", hidden, 2)
    if architecture == "RobertaForSequenceClassification":
        yield from linear("classifier.dense", hidden, hidden)
        yield from linear("classifier.out_proj", hidden, len(c["id2label"]))
    elif architecture.endswith("Classification"):
        yield from linear("classifier", hidden, len(c["id2label"]))


def codegen_weights(c):
    width, inner = c["n_embd"], c["n_inner"] or 4 * c["n_embd"]
    yield "transformer.wte.weight", (c["vocab_size"], width)
    for i in range(c["n_layer"]):
        layer = f"transformer.h.{i}"
        yield from layer_norm(f"{layer}.ln_1", width)
        yield from linear(f"{layer}.attn.qkv_proj", width, 3 * width, bias=False)
        yield from linear(f"{layer}.attn.out_proj", width, width, bias=False)
        yield from linear(f"{layer}.mlp.fc_in", width, inner)
        yield from linear(f"{layer}.mlp.fc_out", inner, width)
    yield from layer_norm("transformer.ln_f", width)
    if c["architectures"][0] == "CodeGenForCausalLM":
        if not c["tie_word_embeddings"]:
            yield "lm_head.weight", (c["vocab_size"], width)
        yield "lm_head.bias", (c["vocab_size"],)


def codegen_buffers(c):
    """Tensors that files hold and models compute: a reader must leave them alone."""
    buffers = {}
    for i in range(c["n_layer"]):
        buffers[f"transformer.h.{i}.attn.causal_mask"] = torch.ones(1, 1, c["n_positions"], c["n_positions"]).tril().to(torch.uint8)
        buffers[f"transformer.h.{i}.attn.bias"] = torch.ones(1, 1, c["n_positions"], c["n_positions"]).tril().bool()
        buffers[f"transformer.h.{i}.attn.masked_bias"] = torch.tensor(-1e9)
        buffers[f"transformer.h.{i}.attn.embed_positions"] = torch.zeros(c["n_positions"], c["rotary_dim"] or c["n_embd"] // c["n_head"])
    return buffers


def bert_buffers(c):
    name = c["model_type"] + ".embeddings."
    columns = c["max_position_embeddings"]
    return {name + "position_ids": torch.arange(columns)[None], name + "token_type_ids": torch.zeros(1, columns, dtype=torch.int64)}


def ids(config, batch, sequence, generator):
    """Token ids without the padding token."""
    low = config.get("pad_token_id", 0) + 1
    return torch.randint(low, config["vocab_size"], (batch, sequence), generator=generator)


def padding(lengths, sequence, left=False):
    """An attention mask of rows of the given lengths."""
    columns = torch.arange(sequence)
    rows = [columns >= sequence - length if left else columns < length for length in lengths]
    return torch.stack(rows).long()


def counted_positions(mask):
    """position_ids as generate() makes them from a mask: the running count of tokens, 1 at padding."""
    return (mask.cumsum(1) - 1).masked_fill(mask == 0, 1)
