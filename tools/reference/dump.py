#!/usr/bin/env python3
"""Writes what a checkpoint computes in transformers to a safetensors file, for `mtx diff` to compare with.

    python3 dump.py --model Salesforce/codegen-350M-mono --text 'def hello_world():' --out theirs.safetensors
    mtx diff Salesforce/codegen-350M-mono theirs.safetensors

Needs PyTorch and transformers (written against 4.46; eager attention). This one file is enough: copy it to wherever they are.
Activations have the names of docs/tracing.md, which are the module paths that a PyTorch forward hook has:

* a module's output, or its first element where it is a tuple;
* A.probabilities of an attention A: the model's attentions;
* A.heads [batch, heads, sequence, head_dim]: what goes into the output projection, split into heads;
* A.query, A.key, A.value of a decoder, after rotation: the arguments of CodeGenAttention._attn, where the class has that method.

A.scores and A.head_outputs pass through no module and are left out.
"""
import argparse
import json
import os
import struct
import sys

# Names. The same as ActivationNames in C#; a test compares them.

HEADS = {
    "CodeGenModel": [],
    "CodeGenForCausalLM": ["lm_head"],
    "BertModel": ["bert.pooler.dense", "bert.pooler"],
    "BertForPreTraining": ["cls.predictions.transform.dense", "cls.predictions.transform", "cls.predictions.decoder", "cls.predictions",
                           "bert.pooler.dense", "bert.pooler", "cls.seq_relationship"],
    "BertForMaskedLM": ["cls.predictions.transform.dense", "cls.predictions.transform", "cls.predictions.decoder", "cls.predictions"],
    "BertForSequenceClassification": ["bert.pooler.dense", "bert.pooler", "classifier"],
    "BertForTokenClassification": ["classifier"],
    "RobertaModel": ["roberta.pooler.dense", "roberta.pooler"],
    "RobertaForMaskedLM": ["lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head"],
    "RobertaForSequenceClassification": ["classifier.dense", "classifier.out_proj", "classifier"],
    "RobertaForTokenClassification": ["classifier"],
}
DECODER_LAYER = ["ln_1", "attn.qkv_proj", "attn.query", "attn.key", "attn.value", "attn.probabilities", "attn.heads", "attn.out_proj", "attn",
                 "mlp.fc_in", "mlp.act", "mlp.fc_out", "mlp", ""]
ENCODER_LAYER = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.self.probabilities", "attention.self.heads",
                 "attention.self", "attention.output.dense", "attention.output", "attention",
                 "intermediate.dense", "intermediate", "output.dense", "output", ""]


def activation_names(architecture, layers):
    """Every name that this script can give, in execution order."""
    if architecture not in HEADS:
        raise SystemExit(f"dump.py: {architecture} is not a class that it knows; it knows {', '.join(HEADS)}.")
    if architecture.startswith("CodeGen"):
        body = "transformer"
        before, layer, parts, after = [f"{body}.wte", f"{body}.drop"], f"{body}.h", DECODER_LAYER, [f"{body}.ln_f"]
    else:
        body = "roberta" if architecture.startswith("Roberta") else "bert"
        before, layer, parts, after = [f"{body}.embeddings"], f"{body}.encoder.layer", ENCODER_LAYER, []
    inside = [f"{layer}.{n}.{part}".rstrip(".") for n in range(layers) for part in parts]
    return before + inside + after + HEADS[architecture]


def matches(pattern, name):
    """Whether a name fits a pattern in which * stands for any characters but a dot, and ** for any."""
    if not pattern:
        return not name
    if pattern.startswith("**"):
        return any(matches(pattern[2:], name[i:]) for i in range(len(name) + 1))
    if pattern[0] == "*":
        end = name.find(".")
        return any(matches(pattern[1:], name[i:]) for i in range((len(name) if end < 0 else end) + 1))
    return name[:1] == pattern[0] and matches(pattern[1:], name[1:])


def select(patterns, names):
    """The names that any pattern fits, in order; a pattern that fits none is an error."""
    for pattern in patterns:
        if not any(matches(pattern, name) for name in names):
            raise SystemExit(f"dump.py: no activation matches {pattern}. There are {', '.join(names[:8])} …; --list shows all.")
    return [name for name in names if any(matches(pattern, name) for pattern in patterns)]


# Files. https://github.com/huggingface/safetensors#format

def metadata(architecture, names, rows, mask, made_by, texts=None, tokens=None):
    """What mtx diff reads from the file's metadata: strings, all but format JSON."""
    values = {"names": names, "architecture": architecture, "input_ids": rows, "made_by": made_by}
    if any(0 in row for row in mask):
        values["attention_mask"] = mask
    if texts is not None:
        values["texts"] = texts
    if tokens is not None:
        values["tokens"] = tokens
    return {"format": "pt", **{key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}}


def write_safetensors(path, tensors, strings, force=False):
    """Writes (name, dtype, shape, little-endian bytes) tuples; a file that exists only with force, and never half a file."""
    if os.path.exists(path) and not force:
        raise SystemExit(f"dump.py: {path} exists. Choose another name, or replace it with --force.")
    header, offset = {"__metadata__": strings}, 0
    for name, dtype, shape, data in tensors:
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    unfinished = f"{path}.{os.getpid()}.part"
    try:
        with open(unfinished, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for _, _, _, data in tensors:
                file.write(data)
        os.replace(unfinished, path)
    finally:
        if os.path.exists(unfinished):
            os.remove(unfinished)


def padded(rows, pad):
    """Rows of one length, filled on the right, and their masks."""
    width = max(len(row) for row in rows)
    return [row + [pad] * (width - len(row)) for row in rows], [[1] * len(row) + [0] * (width - len(row)) for row in rows]


# Hooks. They need PyTorch, but nothing of transformers beyond module paths.

def first(output):
    """A module's output, or the first element of a tuple or of a ModelOutput."""
    return output if hasattr(output, "detach") else output[0]


def split_heads(x, heads):
    """[batch, sequence, heads · head_dim] -> [batch, heads, sequence, head_dim]."""
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


class Recorder:
    """Keeps the named activations of the passes that a model runs until close()."""

    def __init__(self, model, names):
        self.kept, self._names, self._undo = {}, set(names), []
        body = getattr(model, "base_model_prefix", "")
        # A model without a head is what others have below their prefix.
        prefix = "" if hasattr(model, body) else body + "."
        config = model.config
        heads = getattr(config, "num_attention_heads", None) or config.n_head
        for path, module in model.named_modules():
            name = prefix + path
            if name in self._names:
                self._hook(module, name)
            if name.endswith(".attn") and hasattr(module, "_attn"):
                self._wrap(module, name)
            if name.endswith(".attn.out_proj"):
                self._before(module, name[: -len(".out_proj")] + ".heads", heads)
            if name.endswith(".attention.output.dense"):
                self._before(module, name[: -len(".output.dense")] + ".self.heads", heads)

    def keep(self, name, tensor):
        if name in self._names:
            self.kept[name] = tensor.detach().clone().contiguous()

    def close(self):
        for undo in self._undo:
            undo()

    def _hook(self, module, name):
        self._undo.append(module.register_forward_hook(lambda _, inputs, output: self.keep(name, first(output))).remove)

    def _before(self, module, name, heads):
        self._undo.append(module.register_forward_pre_hook(lambda _, inputs: self.keep(name, split_heads(inputs[0], heads))).remove)

    def _wrap(self, module, name):
        original = module._attn

        def attend(query, key, value, *rest, **named):
            for part, tensor in (("query", query), ("key", key), ("value", value)):
                self.keep(f"{name}.{part}", tensor)
            return original(query, key, value, *rest, **named)

        module._attn = attend
        self._undo.append(lambda: delattr(module, "_attn"))


def record(model, names, rows, mask):
    """Runs a model on rows of ids and returns the named activations in the order of names; those that nothing gave are left out."""
    import torch

    attentions = [name for name in names if name.endswith(".probabilities")]
    recorder = Recorder(model, names)
    given = {} if all(all(row) for row in mask) else {"attention_mask": torch.tensor(mask)}
    try:
        with torch.no_grad():
            output = model(input_ids=torch.tensor(rows), **given, **({"output_attentions": True} if attentions else {}))
    finally:
        recorder.close()
    for name in attentions:
        recorder.keep(name, output.attentions[int(name.split(".h." if ".h." in name else ".layer.")[1].split(".")[0])])
    return {name: recorder.kept[name] for name in names if name in recorder.kept}


def stored(name, tensor):
    """A PyTorch tensor as write_safetensors wants it."""
    import torch

    dtypes = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16"}
    dtype = dtypes[tensor.dtype]
    plain = tensor.cpu().contiguous()
    return name, dtype, tuple(tensor.shape), (plain.view(torch.int16) if dtype == "BF16" else plain).numpy().tobytes()


# The command.

def load(directory, dtype):
    """The class that config.json names, in evaluation mode."""
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(directory)
    known = [name for name in config.architectures or [] if name in HEADS]
    if not known:
        raise SystemExit(f"dump.py: config.json names the architectures {config.architectures}; one of {', '.join(HEADS)} is needed.")
    model = getattr(transformers, known[0]).from_pretrained(directory, torch_dtype=getattr(torch, dtype), attn_implementation="eager")
    return model.eval(), known[0], config.num_hidden_layers


def tokenize(directory, texts):
    """Each text's ids, with the special tokens that the tokenizer adds."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    return [tokenizer(text)["input_ids"] for text in texts], tokenizer


def tokenizer_or_none(directory):
    import transformers

    try:
        return transformers.AutoTokenizer.from_pretrained(directory)
    except (OSError, ValueError, KeyError) as error:
        print(f"dump.py: the file will not say what its tokens are: {error}", file=sys.stderr)
        return None


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a checkpoint directory, or a name on the hub")
    parser.add_argument("--text", action="append", default=[], help="a text; repeat it for a batch")
    parser.add_argument("--file", action="append", default=[], help="a file with a text")
    parser.add_argument("--ids", action="append", default=[], help="token ids in place of a text: 313,5282,323")
    parser.add_argument("--names", action="append", default=[], help="activations to keep; * is any characters but a dot, ** any (default: **)")
    parser.add_argument("--out", help="the file to write")
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64", "float16", "bfloat16"], help="what the model computes in")
    parser.add_argument("--force", action="store_true", help="replace a file that exists")
    parser.add_argument("--list", metavar="CLASS:LAYERS", help="print the names for a class, such as CodeGenForCausalLM:20, and end")
    options = parser.parse_args(argv)
    if options.list:
        return options
    if not options.model or not options.out:
        parser.error("--model and --out are needed")
    if bool(options.text or options.file) == bool(options.ids):
        parser.error("either --text or --file, or --ids, is needed")
    if os.path.exists(options.out) and not options.force:           # before the model is loaded
        parser.error(f"{options.out} exists; choose another name, or replace it with --force")
    return options


def main(argv=None):
    options = arguments(argv)
    patterns = options.names or ["**"]
    if options.list:
        architecture, _, layers = options.list.partition(":")
        print("\n".join(select(patterns, activation_names(architecture, int(layers or 1)))))
        return
    try:
        import torch
        import transformers
    except ImportError as error:
        raise SystemExit(f"dump.py: {error}. It runs where PyTorch and transformers are installed: pip install torch 'transformers==4.46.*'.")
    model, architecture, layers = load(options.model, options.dtype)
    names = select(patterns, activation_names(architecture, layers))
    texts = None
    if options.ids:
        rows, tokenizer = [[int(number) for number in row.replace(",", " ").split()] for row in options.ids], tokenizer_or_none(options.model)
    else:
        texts = list(options.text)
        for path in options.file:
            with open(path, encoding="utf-8", newline="") as file:
                texts.append(file.read())
        rows, tokenizer = tokenize(options.model, texts)
    if not all(rows):
        raise SystemExit("dump.py: a row has no token; at least one is needed.")
    tokens = None if tokenizer is None else [[tokenizer.decode([number]) for number in row] for row in rows]
    pad = getattr(model.config, "pad_token_id", None)
    rows, mask = padded(rows, pad if isinstance(pad, int) and 0 <= pad < model.config.vocab_size else 0)
    kept = record(model, names, rows, mask)
    made_by = f"transformers {transformers.__version__}, torch {torch.__version__}, {options.dtype}"
    strings = metadata(architecture, list(kept), rows, mask, made_by, texts, tokens)
    write_safetensors(options.out, [stored(name, tensor) for name, tensor in kept.items()], strings, options.force)
    print(f"{architecture}: {len(kept)} activations of {len(rows)} x {len(rows[0])} tokens written to {options.out}")
    missing = [name for name in names if name not in kept]
    if missing:
        print(f"dump.py: this version gave no {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}", file=sys.stderr)


if __name__ == "__main__":
    main()
