#!/usr/bin/env bash
# Installs the peers that the bench is compared with into a cache folder, never into the repository:
#   bench/peers/install.sh [CACHE]      (default: $XDG_CACHE_HOME/managed-transformers-bench, as the bench itself)
# Needs node and npm; the model writers need Debian's python3-onnx (apt-get install python3-onnx).
set -euo pipefail

ONNXRUNTIME=1.30.0
NODE_LLAMA_CPP=3.22.1
TOKENIZERS=0.6.0

cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/managed-transformers-bench}
mkdir -p "$cache/peers"
cd "$cache/peers"
echo '{ "name": "bench-peers", "private": true }' > package.json

# No install scripts: they would fetch GPU libraries, or compile. No optional packages: they are llama.cpp for other machines.
npm install --no-audit --no-fund --ignore-scripts --omit=optional \
    "onnxruntime-node@$ONNXRUNTIME" "node-llama-cpp@$NODE_LLAMA_CPP" "@node-llama-cpp/linux-x64@$NODE_LLAMA_CPP" \
    "@anush008/tokenizers@$TOKENIZERS" "@anush008/tokenizers-linux-x64-gnu@$TOKENIZERS"

/usr/bin/python3 -c 'import onnx, numpy' || echo "The model writers need python3-onnx: apt-get install python3-onnx" >&2
echo "Peers are in $cache/peers"
