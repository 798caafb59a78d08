"""Compares equations.py with cases that exist: `python3 check_cases.py ../../tests/data/reference/models/*`."""
import json
import pathlib
import sys

import torch

import equations
import weight_files

INPUTS = {"input_ids", "inputs_embeds", "attention_mask", "token_type_ids", "position_ids", "head_mask", "labels", "next_sentence_label"}


def check(directory):
    """The largest error of a case's tensors, relative to each tensor's largest magnitude; padded rows do not count."""
    config = json.loads((directory / "config.json").read_text())
    weights = {}
    for file in sorted(directory.glob("model*.safetensors")):
        weights.update(weight_files.read(file))
    expected = weight_files.read(directory / "expected.safetensors")
    inputs = {name: tensor for name, tensor in expected.items() if name in INPUTS}
    outputs = equations.run(config, equations.canonical(config, weights), inputs)
    worst, compared = 0.0, 0
    for name, tensor in expected.items():
        if name not in outputs:
            continue
        difference = (outputs[name].reshape(tensor.shape) - tensor).nan_to_num(0 if tensor.isnan().all() else float("nan")).abs()
        mask = inputs.get("attention_mask")
        if mask is not None and tensor.dim() >= 3:
            difference = difference * (mask[:, None, :, None] if tensor.dim() == 4 else mask[:, :, None])
        worst, compared = max(worst, (difference.max() / tensor.abs().max().nan_to_num(1)).item()), compared + 1
    return worst, compared


if __name__ == "__main__":
    with torch.no_grad():
        for argument in sys.argv[1:]:
            worst, compared = check(pathlib.Path(argument))
            print(f"{pathlib.Path(argument).name:40} {compared:3} tensors, largest relative error {worst:.1e}")
