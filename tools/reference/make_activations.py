"""Writes the activations of small checkpoints as dump.py would, but from modules.py in place of transformers.

    python3 make_activations.py ../../tests/data/activations ../../tests/data/reference/models/{codegen-mono,bert-pretraining,roberta-mlm}
"""
import json
import sys
from pathlib import Path

import dump
import modules
import weight_files


def main(target, directories):
    Path(target).mkdir(parents=True, exist_ok=True)
    for directory in map(Path, directories):
        config = json.loads((directory / "config.json").read_text())
        model = modules.load(config, weight_files.read(directory / "model.safetensors"))
        architecture = config["architectures"][0]
        names = dump.activation_names(architecture, config.get("n_layer") or config["num_hidden_layers"])
        rows, mask = dump.padded([[17, 42, 5, 99, 23, 64], [7, 8, 9, 10]], pad=config.get("pad_token_id") or 0)
        kept = dump.record(model, names, rows, mask)
        missing = [name for name in names if name not in kept]
        assert not missing, missing
        strings = dump.metadata(architecture, names, rows, mask, "modules.py")
        dump.write_safetensors(Path(target) / f"{directory.name}.safetensors", [dump.stored(name, tensor) for name, tensor in kept.items()], strings, force=True)
        print(f"{directory.name}: {len(kept)} activations")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
