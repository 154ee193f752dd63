#!/usr/bin/env bash
# Installs from Debian what the tests, the demo and the benchmarks need and this machine lacks. Safe to run again and again:
# with everything in place it takes a fraction of a second and touches nothing. It starts no service and changes no sysctl.
# Exit code: 0 when everything required is there (an optional part may be missing: it says so), 1 otherwise.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# command or file to look for : Debian package : required|optional : what it is for
NEEDS='
nft:nftables:required:rules, first backend
iptables:iptables:required:rules, fallback backend
ip:iproute2:required:network namespaces
redis-server:redis-server:required:a real Redis
redis-cli:redis-tools:required:a real Redis client
nginx:nginx-light:required:the L7 engine
/usr/lib/nginx/modules/ngx_stream_module.so:libnginx-mod-stream:required:rival in bench, stream peer in tests
haproxy:haproxy:required:L7 engine in tests, rival in bench
dnsmasq:dnsmasq-base:required:a real DNS server
dig:bind9-dnsutils:required:a real DNS client
socat:socat:required:TCP and UDP peers
curl:curl:required:HTTP client
jq:jq:required:reads the admin answers
ps:procps:required:process figures
setpriv:util-linux:required:runs the proxy without capabilities
unshare:util-linux:required:network namespaces in tests
buildah:buildah:required:builds the image of the init container in tests
debootstrap:debootstrap:required:the Debian base of that image
/usr/lib/python3/dist-packages/grpc/__init__.py:python3-grpcio:required:a gRPC client on the C core in tests of xDS
npm:npm:optional:peers from npm in tests
nutcracker:nutcracker:optional:rival in bench
iperf3:iperf3:optional:bulk traffic in bench
wrk:wrk:optional:HTTP load in bench
conntrack:conntrack:optional:diagnosis
strace:strace:required:refuses and kills at system calls in tests
tcpdump:tcpdump:optional:diagnosis
'

say() { printf 'setup: %s\n' "$*" >&2; }
present() { case $1 in /*) [ -e "$1" ] ;; *) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] ;; esac; }

lacking() { # required|optional|any -> packages, one a line
    local what package kind
    while IFS=: read -r what package kind _; do
        [ -n "$what" ] || continue
        [ "$1" = any ] || [ "$1" = "$kind" ] || continue
        present "$what" || echo "$package"
    done <<<"$NEEDS" | sort -u
}

# A policy-rc.d that answers 101 keeps the packages' scripts from starting anything. One that was there comes back afterwards.
POLICY=/usr/sbin/policy-rc.d
policy_mine=
policy_kept=
policy_set() {
    if [ -e "$POLICY" ]; then
        policy_kept=$POLICY.meshl4-kept
        mv -f "$POLICY" "$policy_kept" || return 1
    fi
    policy_mine=1
    printf '#!/bin/sh\nexit 101\n' >"$POLICY" && chmod 0755 "$POLICY"
}
policy_restore() {
    [ -n "$policy_mine" ] || return 0
    rm -f "$POLICY"
    [ -z "$policy_kept" ] || mv -f "$policy_kept" "$POLICY"
    policy_mine=
    policy_kept=
}
trap policy_restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

apt_install() { # packages...; all together first, then one by one so that one missing package does not take the others along
    local wait=(-o DPkg::Lock::Timeout=120 -o Acquire::Retries=1)
    export DEBIAN_FRONTEND=noninteractive
    say "updating the package lists"
    apt-get "${wait[@]}" update -qq >&2 || say "apt-get update failed; trying with the lists and packages already here"
    say "installing: $*"
    apt-get "${wait[@]}" install -y -qq --no-install-recommends "$@" >/dev/null && return 0
    say "together they failed; one by one"
    local package
    for package in "$@"; do
        apt-get "${wait[@]}" install -y -qq --no-install-recommends "$package" >/dev/null || say "could not install $package"
    done
}

install_packages() {
    local missing
    mapfile -t missing < <(lacking any)
    [ "${#missing[@]}" -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        say "no apt-get here; install yourself: ${missing[*]}"
        return 0
    fi
    if [ "$(id -u)" -ne 0 ]; then
        say "not root; install yourself: apt-get install ${missing[*]}"
        return 0
    fi
    policy_set || { say "cannot write $POLICY, so nothing is installed: a service would start"; return 0; }
    apt_install "${missing[@]}"
    policy_restore
}

install_npm() { # the peers of the tests that come from npm
    local folder=tests/npm
    [ -f "$folder/package-lock.json" ] || return 0
    # npm writes this file last; older than the lock means another version of the lock.
    [ "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ] && return 0
    command -v npm >/dev/null || return 0
    say "npm ci --prefix $folder"
    npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error >&2 || say "npm ci failed: the tests with peers from npm will fail"
}

check_dotnet() {
    if ! command -v dotnet >/dev/null; then
        say "the .NET 10 SDK is missing and not in Debian: see https://dot.net for the install script or Microsoft's package feed"
        return 1
    fi
    dotnet --list-sdks | grep -q '^10\.' && return 0
    say "no .NET 10 SDK; found: $(dotnet --list-sdks | tr '\n' ' ')"
    return 1
}

status=0
install_packages
install_npm
check_dotnet || status=1
for package in $(lacking required); do
    say "MISSING, required: $package"
    status=1
done
for package in $(lacking optional); do
    say "missing, optional: $package ($(grep ":$package:" <<<"$NEEDS" | head -1 | cut -d: -f4))"
done
[ "$status" -ne 0 ] || say "everything required is here"
exit "$status"
