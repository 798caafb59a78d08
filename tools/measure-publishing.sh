#!/usr/bin/env bash
# Publishes samples/Apps/ConsoleAot in each form and prints docs/publishing.md's table for this machine: sizes without the model and symbols, and of
# several runs the least time to the first answer (a process from its start, reading the model included), CPU time of 64 tokens, and memory.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-5}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

measure() {
    local name=$1 form=$2
    shift 2
    dotnet publish samples/Apps/ConsoleAot -c Release --ucr -o "$folder/$form" --artifacts-path "$folder/built" -v q -nologo "$@" > "$folder/log" || { cat "$folder/log" >&2; exit 1; }
    local size first cpu memory level
    size=$(find "$folder/$form" -type f ! -path '*/models/*' ! -name '*.dbg' ! -name '*.xml' ! -name '*.pdb' -printf '%s\n' | awk '{ total += $1 } END { printf "%.1f", total / 1e6 }')
    for ((run = 0; run < runs; run++)); do "$folder/$form/ConsoleAot" > "$folder/$form.$run"; done
    least() { sed -nE "s/$1/\1/p" "$folder/$form".[0-9]* | sort -n | head -1; }
    level=$(sed -nE 's/^kernels: (\w+) .*/\1/p' "$folder/$form.0")
    first=$(least '.*first answer ([0-9.]+) s.*')
    cpu=$(least '.*64 tokens ([0-9]+) ms.*')
    memory=$(least '.*besides the model ([0-9]+) MB.*')
    echo "| $name | $size MB | $level | $first s | $cpu ms | $memory MB |"
}

echo "| form | size | level | first answer | 64 tokens, CPU time | memory besides the model |"
echo "|---|---|---|---|---|---|"
measure "framework-dependent (the runtime is there)" fdd -p:PublishAot=false --no-self-contained
measure "self-contained, trimmed" trimmed -p:PublishAot=false -p:PublishTrimmed=true --self-contained
measure "self-contained, trimmed, ReadyToRun" r2r -p:PublishAot=false -p:PublishTrimmed=true -p:PublishReadyToRun=true --self-contained
measure "self-contained, trimmed, one file" single -p:PublishAot=false -p:PublishTrimmed=true -p:PublishSingleFile=true --self-contained
measure "ahead of time, the package's default" aot
measure "ahead of time, x86-64-v4" aot4 -p:IlcInstructionSet=x86-64-v4
