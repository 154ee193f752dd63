#!/bin/bash
# Builds what is missing or stale and runs the load harness: ./bench.sh --help
set -euo pipefail
caller=$PWD
cd "$(dirname "$0")"
repository=$PWD

# MeshL4 itself is needed unless another command stands in for it, only rivals run, or only help is wanted.
needs_proxy=yes
[ -z "${MESHL4_BENCH_COMMAND:-}" ] || needs_proxy=no
for argument in "$@"; do
  case $argument in --rivals-only | --help | -h | '-?' | --version | --proxy | --proxy=*) needs_proxy=no ;; esac
done

proxy=artifacts/meshl4-proxy
if [ "$needs_proxy" = yes ]; then
  if [ ! -x "$proxy" ] || [ -n "$(find src Directory.*.props -newer "$proxy" -type f -not -path '*/obj/*' -not -path '*/bin/*' -print -quit)" ]; then
    echo "bench.sh: $proxy is missing or older than its sources, building" >&2
    ./build.sh >&2
  fi
fi

harness=bench/Load/bin/Release/net10.0/MeshL4.Load.dll
if [ ! -f "$harness" ] || [ -n "$(find bench/Load Directory.*.props -newer "$harness" -type f -not -path '*/obj/*' -not -path '*/bin/*' -print -quit)" ]; then
  dotnet build bench/Load/Load.csproj -c Release -v q --nologo >&2
fi

# haproxy and nginx live in sbin, which an ordinary user's PATH may lack.
export PATH=$PATH:/usr/sbin:/sbin
export MESHL4_BENCH_PROXY=$repository/$proxy
cd "$caller"
exec dotnet "$repository/$harness" "$@"
