#!/usr/bin/env bash
# Writes src/*/PublicAPI.Unshipped.txt anew: every public member that PublicAPI.Shipped.txt does not list, in the order of their characters.
# Run it after a change of the public surface, and look at the difference: it is what users will see.
set -euo pipefail
export LC_ALL=C DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
cd "$(dirname "$0")/.."

projects=(src/*/*.csproj)
for project in "${projects[@]}"; do
    folder=$(dirname "$project")
    [ -f "$folder/PublicAPI.Shipped.txt" ] || echo '#nullable enable' > "$folder/PublicAPI.Shipped.txt"
    echo '#nullable enable' > "$folder/PublicAPI.Unshipped.txt"
done

# With empty lists the analyzer names every public member. A project that does not compile ends the script.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for project in src/Diagnostics/Diagnostics.csproj src/Hub/Hub.csproj src/SemanticKernel/SemanticKernel.csproj src/Gateway/Gateway.csproj; do
    dotnet build "$project" -c Release -v quiet --no-incremental -p:TreatWarningsAsErrors=false -p:EnableNETAnalyzers=false -p:EnforceCodeStyleInBuild=false >> "$log" || { grep -E 'error' "$log" | sort -u; exit 1; }
done

for project in "${projects[@]}"; do
    list="$(dirname "$project")/PublicAPI.Unshipped.txt"
    { grep -F "$(basename "$project")]" "$log" || true; } | sed -n "s/.*RS0016: Symbol '\(.*\)' is not part of .*/\1/p" | sort -u >> "$list"
    echo "$list: $(($(wc -l < "$list") - 1)) members"
done
