# The stage of demo.sh: two network namespaces, what runs in them, and the words to tell and check with. Sourced, not run.
# shellcheck shell=bash

POD=meshl4-pod-$$
OUTSIDE=meshl4-outside-$$
POD_IP=10.77.0.1
OUTSIDE_IP=10.77.0.2
DIR=
passed=0
failed=0

if [ -t 1 ]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' dim='' green='' red='' plain=''
fi

chapter() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
tell() { printf '  %s\n' "$*"; }
show() { sed "s/^/      $dim/; s/\$/$plain/"; } # quotes output of others, indented

ok() { passed=$((passed + 1)); printf '  %sok%s    %s\n' "$green" "$plain" "$1"; }
bad() { failed=$((failed + 1)); printf '  %sFAIL%s  %s\n' "$red" "$plain" "$1"; shift; [ $# -eq 0 ] || printf '          %s\n' "$@"; }

expect() { # title, expected, actual
    if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "expected: $2" "actual:   $3"; fi
}
expect_match() { # title, extended regular expression, text
    if grep -qE -- "$2" <<<"$3"; then ok "$1"; else bad "$1" "expected a match of: $2" "actual: $3"; fi
}
expect_true() { # title, command...
    local title=$1
    shift
    if "$@"; then ok "$title"; else bad "$title" "failed: $*"; fi
}

within() { # seconds, command...: tries until it succeeds
    local until=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.05
    done
}

# Who does something where. The application is uid 1001, the proxy and the L7 engine are uid and gid 1337 without any capability.
AS_PROXY=(ip netns exec "$POD" setpriv --reuid 1337 --regid 1337 --clear-groups --inh-caps=-all --bounding-set=-all --)
in_pod() { ip netns exec "$POD" "$@"; }
in_outside() { ip netns exec "$OUTSIDE" "$@"; }
as_app() { in_pod setpriv --reuid 1001 --regid 1001 --clear-groups --inh-caps=-all -- "$@"; }
as_proxy() { "${AS_PROXY[@]}" "$@"; }

# One line from a server, and one question with its answer. Bash itself is the client: nothing between it and the socket.
first_line() { # who, address, port
    "$1" timeout 10 bash -c 'exec 3<>"/dev/tcp/$0/$1" && read -r line <&3 && echo "$line"' "$2" "$3" 2>&1
}
ask() { # who, address, port, text
    "$1" timeout 10 bash -c 'exec 3<>"/dev/tcp/$0/$1" && echo "$2" >&3 && read -r line <&3 && echo "$line"' "$2" "$3" "$4" 2>&1
}

admin() { in_pod curl -sS --max-time 5 "$@"; }
stat() { # exact name -> value
    admin "http://127.0.0.1:15000/stats" | awk -F': ' -v name="$1" '$1 == name { print $2; found = 1 } END { if (!found) print "no " name }'
}
count_so_far() { # exact name -> value; 0 for a counter that has not met anything yet
    local value
    value=$(stat "$1")
    [[ $value =~ ^[0-9]+$ ]] && echo "$value" || echo 0
}

start() { # name, command...: runs it in the background, its output in a file of its own; $started is its process id
    local name=$1
    shift
    "$@" >"$DIR/$name.log" 2>&1 </dev/null &
    started=$!
}

serve() { # namespace function, name, address, port, shell text: a TCP server that runs the text for every caller
    start "$2" "$1" socat "TCP-LISTEN:$4,bind=$3,reuseaddr,fork,backlog=64" "SYSTEM:$5"
}

listening() { # namespace function, port
    [ -n "$("$1" ss -Hltn "sport = :$2")" ]
}

stage_set() {
    DIR=$(mktemp -d "${TMPDIR:-/tmp}/meshl4-demo.XXXXXX")
    chmod 0755 "$DIR"
    ip netns add "$POD"
    ip netns add "$OUTSIDE"
    ip link add eth0 netns "$POD" type veth peer name eth0 netns "$OUTSIDE"
    ip -n "$POD" addr add "$POD_IP/24" dev eth0
    ip -n "$OUTSIDE" addr add "$OUTSIDE_IP/24" dev eth0
    local namespace
    for namespace in "$POD" "$OUTSIDE"; do
        ip -n "$namespace" link set lo up
        ip -n "$namespace" link set eth0 up
    done
}

stage_clear() { # everything in the two namespaces was started from here; so was everything in the folder
    trap '' INT TERM HUP
    local namespace pids
    for namespace in "$POD" "$OUTSIDE"; do
        [ -e "/run/netns/$namespace" ] || continue
        pids=$(ip netns pids "$namespace")
        # shellcheck disable=SC2086
        [ -z "$pids" ] || kill -KILL $pids 2>/dev/null
        ip netns del "$namespace"
    done
    wait 2>/dev/null
    if [ "$failed" -ne 0 ] && [ -n "$DIR" ]; then
        rm -rf artifacts/demo-logs
        mkdir -p artifacts/demo-logs
        cp -r "$DIR"/*.log "$DIR"/xds "$DIR"/*.yaml "$DIR"/*/*.log artifacts/demo-logs/ 2>/dev/null
    fi
    [ -z "$DIR" ] || rm -rf "$DIR"
}

fill() { # template, target, further NAME=value...: the placeholders of deploy/demo
    local template=deploy/demo/$1 target=$DIR/$2 pair
    local edits=(-e "s|@DIR@|$DIR|g" -e "s|@POD_IP@|$POD_IP|g" -e "s|@OUTSIDE_IP@|$OUTSIDE_IP|g")
    shift 2
    for pair in "$@"; do edits+=(-e "s|@${pair%%=*}@|${pair#*=}|g"); done
    mkdir -p "$(dirname "$target")"
    # Written beside and renamed: the proxy never meets half a file.
    sed "${edits[@]}" "$template" >"$target.new" && mv "$target.new" "$target"
}

rule_hits() { # what each rule of the pod has met, as nft counts: connections, verdict, why
    in_pod nft -j list table inet meshl4 | jq -r '
        .nftables[].rule | select(. != null)
        | [.chain, (.expr[] | .counter? | select(. != null) | .packets), (.expr[] | (.redirect? // empty | "to port \(.port)"), (select(has("return")) | "left alone")), .comment]
        | @tsv'
}
hits_of() { # words of the rule's comment -> connections that met it, over all rules that say so
    rule_hits | grep -F -- "$1" | awk -F'\t' '{ sum += $2 } END { print sum + 0 }'
}
