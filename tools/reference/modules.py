"""BERT, RoBERTa and CodeGen of equations.py as PyTorch modules, arranged and named as in transformers, to try hooks on where transformers is not installed.

A module's path is the prefix of its weights' names in a checkpoint, so load_state_dict says whether the tree is right. Modules return what those of
transformers return: attentions and layers a tuple, the rest a tensor. Only what `make_activations.py` needs is here: masked language models, BERT's
pre-training heads, and CodeGen.
"""
import types

import torch
from torch import nn

import equations
from equations import ACTIVATIONS, SMALLEST, attend, join_heads, split_heads


class Activation(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.run = ACTIVATIONS[name]

    def forward(self, x):
        return self.run(x)


# CodeGen

class CodeGenAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.qkv_proj = nn.Linear(c["n_embd"], 3 * c["n_embd"], bias=False)
        self.out_proj = nn.Linear(c["n_embd"], c["n_embd"], bias=False)

    def _attn(self, query, key, value, hidden):
        return attend(query, key, value, hidden, True, 1)

    def forward(self, x, hidden, positions):
        query, key, value = equations.codegen_heads(self.c, self.qkv_proj(x))
        query, key = equations.rotate(self.c, query, positions), equations.rotate(self.c, key, positions)
        context, probabilities = self._attn(query, key, value, hidden)
        return self.out_proj(join_heads(context)), probabilities


class CodeGenMLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        inner = c.get("n_inner") or 4 * c["n_embd"]
        self.fc_in, self.fc_out = nn.Linear(c["n_embd"], inner), nn.Linear(inner, c["n_embd"])
        self.act = Activation(c["activation_function"])

    def forward(self, x):
        return self.fc_out(self.act(self.fc_in(x)))


class CodeGenBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.ln_1, self.attn, self.mlp = nn.LayerNorm(c["n_embd"], c["layer_norm_epsilon"]), CodeGenAttention(c), CodeGenMLP(c)

    def forward(self, x, hidden, positions):
        normed = self.ln_1(x)
        attention, probabilities = self.attn(normed, hidden, positions)
        return attention + self.mlp(normed) + x, probabilities


class CodeGenModel(nn.Module):
    base_model_prefix = "transformer"

    def __init__(self, c):
        super().__init__()
        self.config = types.SimpleNamespace(**c)
        self.wte, self.drop = nn.Embedding(c["vocab_size"], c["n_embd"]), nn.Dropout(0)
        self.h = nn.ModuleList(CodeGenBlock(c) for _ in range(c["n_layer"]))
        self.ln_f = nn.LayerNorm(c["n_embd"], c["layer_norm_epsilon"])

    def forward(self, input_ids, attention_mask=None, output_attentions=False):
        batch, sequence = input_ids.shape
        visible = torch.ones(sequence, sequence).tril().bool()[None, None]
        if attention_mask is not None:
            visible = visible & attention_mask[:, None, None, :].bool()
        hidden = torch.zeros(visible.shape).masked_fill(~visible, SMALLEST)
        positions = torch.arange(sequence).expand(batch, sequence)
        x, attentions = self.drop(self.wte(input_ids)), []
        for block in self.h:
            x, probabilities = block(x, hidden, positions)
            attentions.append(probabilities)
        return types.SimpleNamespace(last_hidden_state=self.ln_f(x), attentions=attentions)


class CodeGenForCausalLM(nn.Module):
    base_model_prefix = "transformer"

    def __init__(self, c):
        super().__init__()
        self.transformer, self.lm_head = CodeGenModel(c), nn.Linear(c["n_embd"], c["vocab_size"])
        self.config = self.transformer.config

    def forward(self, input_ids, **named):
        output = self.transformer(input_ids, **named)
        return types.SimpleNamespace(logits=self.lm_head(output.last_hidden_state), attentions=output.attentions)


# BERT and RoBERTa

class Embeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c, width = c, c["hidden_size"]
        self.word_embeddings = nn.Embedding(c["vocab_size"], width)
        self.position_embeddings = nn.Embedding(c["max_position_embeddings"], width)
        self.token_type_embeddings = nn.Embedding(c["type_vocab_size"], width)
        self.LayerNorm = nn.LayerNorm(width, c["layer_norm_eps"])

    def forward(self, input_ids):
        family = self.c["model_type"]
        weights = {f"{family}.embeddings.{name}": tensor for name, tensor in self.state_dict().items()}
        return equations.bert_embeddings(self.c, weights, {"input_ids": input_ids}, family)


class SelfAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, width = c["num_attention_heads"], c["hidden_size"]
        self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x, hidden):
        query, key, value = (split_heads(part(x), self.heads) for part in (self.query, self.key, self.value))
        context, probabilities = attend(query, key, value, hidden, False, 1)
        return join_heads(context), probabilities


class Output(nn.Module):
    """BertSelfOutput and BertOutput."""

    def __init__(self, c, inner):
        super().__init__()
        self.dense, self.LayerNorm = nn.Linear(inner, c["hidden_size"]), nn.LayerNorm(c["hidden_size"], c["layer_norm_eps"])

    def forward(self, x, residual):
        return self.LayerNorm(self.dense(x) + residual)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self, self.output = SelfAttention(c), Output(c, c["hidden_size"])

    def forward(self, x, hidden):
        context, probabilities = self.self(x, hidden)
        return self.output(context, x), probabilities


class Intermediate(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.dense, self.intermediate_act_fn = nn.Linear(c["hidden_size"], c["intermediate_size"]), Activation(c["hidden_act"])

    def forward(self, x):
        return self.intermediate_act_fn(self.dense(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.attention, self.intermediate, self.output = Attention(c), Intermediate(c), Output(c, c["intermediate_size"])

    def forward(self, x, hidden):
        x, probabilities = self.attention(x, hidden)
        return self.output(self.intermediate(x), x), probabilities


class Encoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.layer = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))


class Pooler(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.dense = nn.Linear(c["hidden_size"], c["hidden_size"])

    def forward(self, x):
        return torch.tanh(self.dense(x[:, 0]))


class Body(nn.Module):
    def __init__(self, c, pooler):
        super().__init__()
        self.embeddings, self.encoder = Embeddings(c), Encoder(c)
        self.pooler = Pooler(c) if pooler else None

    def forward(self, input_ids, attention_mask=None):
        x, attentions = self.embeddings(input_ids), []
        hidden = torch.zeros(1) if attention_mask is None else (1.0 - attention_mask[:, None, None, :].float()) * SMALLEST
        for layer in self.encoder.layer:
            x, probabilities = layer(x, hidden)
            attentions.append(probabilities)
        return x, None if self.pooler is None else self.pooler(x), attentions


class Transform(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.dense, self.LayerNorm = nn.Linear(c["hidden_size"], c["hidden_size"]), nn.LayerNorm(c["hidden_size"], c["layer_norm_eps"])
        self.act = Activation(c["hidden_act"])

    def forward(self, x):
        return self.LayerNorm(self.act(self.dense(x)))


class Predictions(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.transform, self.decoder = Transform(c), nn.Linear(c["hidden_size"], c["vocab_size"])

    def forward(self, x):
        return self.decoder(self.transform(x))


class PreTrainingHeads(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.predictions, self.seq_relationship = Predictions(c), nn.Linear(c["hidden_size"], 2)


class BertForPreTraining(nn.Module):
    base_model_prefix = "bert"

    def __init__(self, c):
        super().__init__()
        self.config = types.SimpleNamespace(**c)
        self.bert, self.cls = Body(c, pooler=True), PreTrainingHeads(c)

    def forward(self, input_ids, attention_mask=None, output_attentions=False):
        x, pooled, attentions = self.bert(input_ids, attention_mask)
        self.cls.predictions(x)
        self.cls.seq_relationship(pooled)
        return types.SimpleNamespace(attentions=attentions)


class RobertaLMHead(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.dense, self.layer_norm = nn.Linear(c["hidden_size"], c["hidden_size"]), nn.LayerNorm(c["hidden_size"], c["layer_norm_eps"])
        self.decoder = nn.Linear(c["hidden_size"], c["vocab_size"])

    def forward(self, x):
        return self.decoder(self.layer_norm(ACTIVATIONS["gelu"](self.dense(x))))


class RobertaForMaskedLM(nn.Module):
    base_model_prefix = "roberta"

    def __init__(self, c):
        super().__init__()
        self.config = types.SimpleNamespace(**c)
        self.roberta, self.lm_head = Body(c, pooler=False), RobertaLMHead(c)

    def forward(self, input_ids, attention_mask=None, output_attentions=False):
        x, _, attentions = self.roberta(input_ids, attention_mask)
        self.lm_head(x)
        return types.SimpleNamespace(attentions=attentions)


def load(config, weights):
    """The model of a checkpoint: its config.json as a dictionary, its weights by name."""
    model = globals()[config["architectures"][0]](config)
    wanted = model.state_dict()
    tables = {name: tensor for name, tensor in weights.items() if name.endswith("word_embeddings.weight")}
    biases = {name.replace(".bias", ".decoder.bias"): tensor for name, tensor in weights.items() if name in ("lm_head.bias", "cls.predictions.bias")}
    tied = {name: tensor for name in wanted if name.endswith("decoder.weight") for tensor in tables.values()}
    model.load_state_dict({name: {**tied, **biases, **weights}[name].float() for name in wanted})
    return model.eval()
