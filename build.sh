#!/usr/bin/env bash
# Publishes artifacts/meshl4-init and artifacts/meshl4-proxy: single self-contained files for linux-x64.
# Needs the .NET 10 SDK and nothing else; `./build.sh init` or `./build.sh proxy` publishes one of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1

publish() { # project folder, executable
    local project=$1 name=$2 out
    out=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$out'" RETURN
    echo "build: publishing $name (trimmed, ReadyToRun, single file)"
    dotnet restore "src/$project/$project.csproj" --locked-mode -v quiet
    dotnet publish "src/$project/$project.csproj" -c Release --no-restore -o "$out" -v quiet -clp:NoSummary
    mkdir -p artifacts
    # Moved into place whole: a running copy keeps its old file, and nobody meets half of a new one.
    install -m 0755 "$out/$name" "artifacts/.$name.new"
    mv -f "artifacts/.$name.new" "artifacts/$name"
    printf 'build: artifacts/%s %s\n' "$name" "$(du -h --apparent-size "artifacts/$name" | cut -f1)"
}

case "${1:-all}" in
    init) publish Init meshl4-init ;;
    proxy) publish L4Proxy meshl4-proxy ;;
    all) publish Init meshl4-init; publish L4Proxy meshl4-proxy ;;
    *) echo "usage: ./build.sh [init|proxy]" >&2; exit 2 ;;
esac
