"""Writes the cases of tests/data/parity: `python3 make_cases.py ../../tests/data/parity`.

Each case is a folder with config.json, weights, case.json (what it is about) and expected.safetensors (inputs and every
output). The outputs come from equations.py, which check_cases.py compares with outputs of transformers itself.
"""
import json
import pathlib
import sys

import torch

import equations
import weight_files
from random_models import (LABELS, bert_buffers, bert_config, codegen_buffers, codegen_config, counted_positions, ids, labels,
                           padding, roberta_config, weights)

SOURCE = f"independent PyTorch implementation of the same equations, not transformers itself; torch {torch.__version__}, float32, eager attention"
HOLES = torch.tensor([[1, 0, 1, 1, 0, 1, 1, 0, 1], [0, 1, 1, 0, 0, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1, 1]])


class Case:
    """A case under construction. `stored` are the tensors as the file will hold them; change names there, not values."""

    def __init__(self, name, about, config, dtype="F32", shards=1):
        self.name, self.about, self.config, self.dtype, self.shards = name, about, config, dtype, shards
        self.generator = torch.Generator().manual_seed(sum(name.encode()))
        rounded = {key: tensor.to(weight_files.DTYPES[dtype]) for key, tensor in weights(config, self.generator).items()}
        self.weights, self.stored = equations.canonical(config, rounded), rounded

    def rename(self, *pairs):
        for old, new in pairs:
            self.stored = {name.replace(old, new): tensor for name, tensor in self.stored.items()}

    def legacy_names(self):
        self.rename(*((f"{norm}.{new}", f"{norm}.{old}") for norm in ("LayerNorm", "layer_norm") for new, old in (("weight", "gamma"), ("bias", "beta"))))

    def ids(self, batch, sequence):
        return ids(self.config, batch, sequence, self.generator)

    def integers(self, high, *shape):
        return torch.randint(0, high, shape, generator=self.generator)

    def reals(self, *shape):
        return torch.randn(shape, generator=self.generator)

    def write(self, root, **inputs):
        directory = root / self.name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "config.json").write_text(json.dumps(self.config, indent=1) + "\n")
        (directory / "case.json").write_text(json.dumps({"about": self.about, "source": SOURCE, "weights": "file", "dtype": self.dtype}, indent=1) + "\n")
        if self.shards == 1:
            weight_files.write(directory / "model.safetensors", self.stored)
        else:
            weight_files.write_shards(directory, self.stored, self.shards)
        outputs = equations.run(self.config, self.weights, inputs)
        weight_files.write(directory / "expected.safetensors", {**inputs, **outputs})


def with_ignored(targets, *places):
    """Labels with -100 at some (row, column) places."""
    for row, column in places:
        targets[row, column] = equations.IGNORED
    return targets


def bert_cases(root):
    case = Case("bert-masked-lm-untied", "BertForMaskedLM whose decoder is not tied (decoder.weight and only decoder.bias in the file); relu, masks with "
                "holes, given position_ids, head_mask [heads], loss", bert_config("BertForMaskedLM", tie_word_embeddings=False, hidden_act="relu"))
    case.rename(("cls.predictions.bias", "cls.predictions.decoder.bias"))
    case.write(root, input_ids=case.ids(3, 9), attention_mask=HOLES, position_ids=case.integers(20, 3, 9), head_mask=torch.tensor([1.0, 0.0, 0.5]),
               labels=with_ignored(case.integers(97, 3, 9), (0, 0), (0, 2), (2, 8)))

    case = Case("bert-pretraining-left-padded", "BertForPreTraining padded on the left, so that the pooler reads a hidden token; next_sentence_label without "
                "labels gives no loss; names without prefix, gamma and beta", bert_config("BertForPreTraining", hidden_act="gelu_new", num_hidden_layers=1))
    case.legacy_names()
    case.rename(("bert.", ""))
    case.write(root, input_ids=case.ids(2, 10), attention_mask=padding([6, 10], 10, left=True), token_type_ids=case.integers(2, 2, 10),
               next_sentence_label=torch.tensor([1, 0]))

    case = Case("bert-multi-label", "BertForSequenceClassification with real-valued labels and no problem_type: binary cross-entropy; silu, F64 weights, "
                "padded on the left", bert_config("BertForSequenceClassification", hidden_act="silu", num_hidden_layers=1, **labels(3)), dtype="F64")
    case.write(root, input_ids=case.ids(4, 5), attention_mask=padding([5, 3, 1, 4], 5, left=True), labels=case.integers(2, 4, 3).float())

    case = Case("bert-regression", "BertForSequenceClassification, problem_type regression with two labels; tanh, F16 in two files",
                bert_config("BertForSequenceClassification", hidden_act="tanh", problem_type="regression", **labels(2)), dtype="F16", shards=2)
    case.stored.update(bert_buffers(case.config))
    case.write(root, input_ids=case.ids(2, 20), labels=case.reals(2, 2))


def roberta_cases(root):
    config = roberta_config("RobertaForTokenClassification", type_vocab_size=2, id2label=LABELS, label2id={label: int(i) for i, label in LABELS.items()})
    case = Case("roberta-token-classification", "RobertaForTokenClassification with token_type_ids (type_vocab_size 2), labels with -100, loss; BF16 in three "
                "files", config, dtype="BF16", shards=3)
    mask = padding([4, 11], 11)
    tokens = case.ids(2, 11).masked_fill(mask == 0, 1)
    case.write(root, input_ids=tokens, attention_mask=mask, token_type_ids=case.integers(2, 2, 11),
               labels=case.integers(5, 2, 11).masked_fill(mask == 0, equations.IGNORED))

    case = Case("roberta-base-full-width", "RobertaModel with pooler, names without prefix, buffers to be ignored; rows as wide as the position table (more "
                "columns than tokens fit), padding tokens in the middle", roberta_config("RobertaModel", num_hidden_layers=1))
    case.rename(("roberta.", ""))
    case.stored.update({name.removeprefix("roberta."): tensor for name, tensor in bert_buffers(case.config).items()})
    tokens = case.ids(2, 20)
    tokens[0, [0, 7, 8]], tokens[1, [3, 18, 19]] = 1, 1
    case.write(root, input_ids=tokens, attention_mask=(tokens != 1).long())

    case = Case("roberta-inputs-embeds", "RobertaForMaskedLM with inputs_embeds (positions count every column), head_mask [layers, heads], "
                "all labels -100 (the loss is NaN); gamma and beta, also in lm_head.layer_norm, and only lm_head.decoder.bias",
                roberta_config("RobertaForMaskedLM", hidden_act="silu"))
    case.legacy_names()
    case.rename(("lm_head.bias", "lm_head.decoder.bias"))
    case.write(root, inputs_embeds=case.reals(3, 9, 24), attention_mask=HOLES, head_mask=torch.tensor([[1.0, 0.0, 1.0], [0.3, 1.0, 0.0]]),
               labels=torch.full((3, 9), equations.IGNORED))


def codegen_cases(root):
    config = codegen_config(n_embd=72, n_head=12, n_layer=1, rotary_dim=None, n_inner=50, activation_function="relu", vocab_size=101)
    case = Case("codegen-twelve-heads", "12 heads of 6, all of them rotated (rotary_dim null), n_inner 50, relu; masks with holes, labels "
                "on hidden places too; F16, buffers to be ignored", config, dtype="F16")
    case.stored.update(codegen_buffers(config))
    case.write(root, input_ids=case.ids(3, 9), attention_mask=HOLES, labels=case.integers(101, 3, 9))

    config = codegen_config(n_embd=40, n_layer=1, rotary_dim=8, activation_function="silu", tie_word_embeddings=True)
    case = Case("codegen-tied-left-padded", "tied lm_head, batch of 5 padded on the left without position_ids, token_type_ids, head_mask "
                "[heads], labels on the padding: the last padded place predicts the first token; silu", config)
    case.write(root, input_ids=case.ids(5, 6), attention_mask=padding([6, 4, 1, 5, 2], 6, left=True), token_type_ids=case.integers(97, 5, 6),
               head_mask=torch.tensor([1.0, 0.25, 0.0, 2.0]), labels=case.integers(97, 5, 6))

    config = codegen_config("CodeGenModel", n_embd=60, n_head=6, n_layer=1, rotary_dim=6, n_inner=7, mp_num=3, activation_function="tanh")
    case = Case("codegen-three-blocks", "CodeGenModel with an explicit mp_num of 3, heads of 10, n_inner 7, tanh; left padding with counted "
                "position_ids, head_mask [layers, heads]; BF16 in two files, names without prefix", config, dtype="BF16", shards=2)
    case.rename(("transformer.", ""))
    mask = padding([3, 8], 8, left=True)
    case.write(root, input_ids=case.ids(2, 8), attention_mask=mask, position_ids=counted_positions(mask), head_mask=torch.rand((1, 6), generator=case.generator))

    config = codegen_config(n_embd=32, n_head=8, n_layer=1, rotary_dim=2, mp_num=8, activation_function="gelu", vocab_size=53)
    case = Case("codegen-one-token", "sequences of one token, in 8 blocks of one head each: labels have nothing to score (the loss is NaN); "
                "given position_ids, gelu", config)
    case.write(root, input_ids=case.ids(3, 1), position_ids=torch.tensor([[0], [23], [5]]), labels=case.integers(53, 3, 1))


if __name__ == "__main__":
    with torch.no_grad():
        for write_cases in (bert_cases, roberta_cases, codegen_cases):
            write_cases(pathlib.Path(sys.argv[1]))
