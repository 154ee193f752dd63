#!/usr/bin/env bash
# The main job on real traffic: a pod with an application, the proxy and an L7 engine in one network namespace, the world outside in
# another. Every step is shown and checked. The last line is `N passed, N failed`; exit code 0 only with 0 failed.
# Needs root and the .NET 10 SDK. Cleans up after itself, also when interrupted.
set -uo pipefail
# nft, nginx and ip live in sbin, which a plain `su` leaves out.
export PATH="$PATH:/usr/sbin:/sbin"
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
# shellcheck source=eng/demo/stage.sh
. eng/demo/stage.sh

# An act that a mistake of the shell cuts short must not pass for one that was played: each reports its end in $played.
acts=(prepare start_outside start_pod await_servers show_rules start_proxy show_redis show_http show_tcp_udp show_inbound
    show_live_change show_account show_drain show_cleanup)
played=

finish() { # the only ordinary way out
    local act result
    for act in "${acts[@]}"; do
        [[ " $played " == *" $act "* ]] || bad "not played to its end: $act"
    done
    result="$passed passed, $failed failed"
    trap - EXIT
    stage_clear
    [ "$failed" -eq 0 ] || echo "The logs are in artifacts/demo-logs."
    echo "$result"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}
give_up() { bad "$@"; acts=(); finish; }
trap stage_clear EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

prepare() {
    chapter "Preparing"
    [ "$(id -u)" -eq 0 ] || give_up "the demo makes network namespaces and needs root"
    eng/setup.sh || give_up "something required is missing"
    local newer
    newer=$(find src eng/Executable.props Directory.*.props -type f -not -path '*/bin/*' -not -path '*/obj/*' \
        \( -newer artifacts/meshl4-proxy -o -newer artifacts/meshl4-init \) -print -quit 2>/dev/null)
    if [ ! -x artifacts/meshl4-proxy ] || [ ! -x artifacts/meshl4-init ] || [ -n "$newer" ]; then
        ./build.sh || give_up "the executables could not be built"
    fi
    stage_set || give_up "the network namespaces could not be made"
    # Copies, so that uid 1337 reaches them wherever the repository is.
    install -m 0755 artifacts/meshl4-proxy artifacts/meshl4-init "$DIR" || give_up "the executables could not be copied"
    tell "pod $POD_IP and outside $OUTSIDE_IP: two network namespaces, one cable"
}

start_outside() {
    local name
    for name in redis-main:6379 redis-orders:6380; do
        start "${name%:*}" in_outside redis-server --port "${name#*:}" --bind "$OUTSIDE_IP" --protected-mode no --save '' --appendonly no --dir "$DIR"
    done
    start_web outside "$OUTSIDE_IP" in_outside
    serve in_outside banner "$OUTSIDE_IP" 2525 'echo "220 outside speaks first"; cat >/dev/null'
    serve in_outside blue "$OUTSIDE_IP" 7001 'while read -r line; do echo "blue $line"; done'
    serve in_outside green "$OUTSIDE_IP" 7002 'while read -r line; do echo "green $line"; done'
    serve in_outside plain "$OUTSIDE_IP" 7200 'while read -r line; do echo "outside $line"; done'
    serve in_outside untouched "$OUTSIDE_IP" 7300 'read -r line; echo "untouched $line"'
    serve in_outside bulk "$OUTSIDE_IP" 7500 'head -c 30000000 /dev/zero'
    start udp-echo in_outside socat "UDP4-RECVFROM:9000,bind=$OUTSIDE_IP,fork" EXEC:cat
}

start_web() { # name, address, command prefix...
    local name=$1 address=$2
    shift 2
    fill web.nginx.conf "$name/nginx.conf" "NAME=$name" "ADDRESS=$address"
    chown -R 1001:1001 "$DIR/$name"
    start "$name-web" "$@" setpriv --reuid 1001 --regid 1001 --clear-groups -- nginx -e "$DIR/$name/error.log" -c "$DIR/$name/nginx.conf"
}

start_pod() {
    start_web app "$POD_IP" in_pod
    serve as_app app-peer "$POD_IP" 7100 'read -r line; echo "peer $SOCAT_PEERADDR"'
    serve as_app app-excluded "$POD_IP" 7301 'read -r line; echo "peer $SOCAT_PEERADDR"'
    serve as_app app-banner "$POD_IP" 2525 'echo "220 the pod speaks first"; cat >/dev/null'
    fill engine.nginx.conf engine/nginx.conf
    chown -R 1337:1337 "$DIR/engine"
    start engine as_proxy nginx -e "$DIR/engine/error.log" -c "$DIR/engine/nginx.conf"
}

await_servers() {
    local port
    for port in 6379 6380 8080 2525 7001 7002 7200 7300 7500; do
        within 10 listening in_outside "$port" || give_up "nobody listens on port $port outside"
    done
    for port in 8080 7100 7301 2525 8888; do
        within 10 listening in_pod "$port" || give_up "nobody listens on port $port in the pod"
    done
    tell "outside: two redis-server, a web service, line servers on TCP, an echo on UDP"
    tell "pod: an application as uid 1001, nginx as L7 engine as uid 1337"
}

RULES=(--ipv6 on --proxy-uid 1337 --proxy-gid 1337 --istio-inbound-ports '*' --istio-local-exclude-ports 7301,15021,15090
    --istio-service-cidr '*' --istio-local-outbound-ports-exclude 7300)
init() { in_pod "$DIR/meshl4-init" "$@"; }
rules_now() { in_pod nft -a list ruleset; }

show_rules() {
    chapter "Rules: which traffic of the pod enters the proxy"
    local before after
    tell "meshl4-init plan ${RULES[*]}"
    init plan "${RULES[@]}" 2>&1 | show
    expect "plan writes nothing" "" "$(rules_now)"
    expect_true "apply writes the rules and shows with real packets that they hold" init apply "${RULES[@]}"
    init verify "${RULES[@]}" 2>&1 | show
    # Written anew without packets of our own, so that the counters below count those of applications.
    init cleanup >/dev/null
    expect_true "the rules are there for what follows" init apply --verify off "${RULES[@]}"
    before=$(rules_now)
    expect_match "outbound goes to port 15001, inbound to port 15006" '15001.*15006|15006.*15001' "$(tr '\n' ' ' <<<"$before")"
    expect_true "apply again succeeds" init apply --verify off "${RULES[@]}"
    after=$(rules_now)
    expect "and wrote nothing: the same rules with the same handles" "$before" "$after"
}

start_proxy() {
    chapter "Proxy: uid 1337, no capability, configured by an Envoy bootstrap and xDS files"
    fill bootstrap.yaml bootstrap.yaml
    fill listeners.yaml xds/listeners.yaml
    fill clusters.yaml xds/clusters.yaml
    fill colour.yaml xds/colour.yaml COLOUR=blue COLOUR_PORT=7001
    expect_true "meshl4-proxy validate finds nothing wrong" as_proxy "$DIR/meshl4-proxy" validate -c "$DIR/bootstrap.yaml"
    # No function here: the process id has to be the proxy's, not that of a shell around it.
    "${AS_PROXY[@]}" "$DIR/meshl4-proxy" -c "$DIR/bootstrap.yaml" --concurrency 2 --drain-time-s 20 >"$DIR/access.log" 2>"$DIR/proxy.log" </dev/null &
    proxy=$!
    within 15 admin -f http://127.0.0.1:15000/ready || { tail -20 "$DIR/proxy.log" | show; give_up "the proxy did not become ready"; }
    ok "ready: $(admin http://127.0.0.1:15000/ready)"
    expect_match "it runs as uid 1337" '^Uid:\s+1337\s+1337' "$(cat "/proc/$proxy/status")"
    expect_match "without any capability" '^CapEff:\s+0+$' "$(cat "/proc/$proxy/status")"
    expect "/healthz/ready on port 15021 says 200 to the outside" 200 \
        "$(in_outside curl -s -o /dev/null -w '%{http_code}' --max-time 5 "http://$POD_IP:15021/healthz/ready")"
}

redis() { as_app redis-cli -h "$OUTSIDE_IP" -p 6379 "$@"; }

show_redis() {
    chapter "Redis: captured, understood command by command, routed by key"
    tell "the application calls $OUTSIDE_IP:6379 and knows of no proxy"
    expect "SET greeting is answered" OK "$(redis SET greeting hello)"
    expect "GET greeting is answered" hello "$(redis GET greeting)"
    expect "GET of a key that is not there is answered" "" "$(redis GET nothing)"
    expect "INCR is answered" 1 "$(redis INCR visits)"
    expect "SET orders:1 is answered" OK "$(redis SET orders:1 shoes)"
    expect "GET orders:1 is answered" shoes "$(redis GET orders:1)"
    expect "keys that begin with orders: are in the second Redis" "shoes" "$(in_outside redis-cli -h "$OUTSIDE_IP" -p 6380 GET orders:1)"
    expect "and not in the first" "" "$(in_outside redis-cli -h "$OUTSIDE_IP" -p 6379 GET orders:1)"
    expect "all other keys are in the first" "hello" "$(in_outside redis-cli -h "$OUTSIDE_IP" -p 6379 GET greeting)"
    expect "commands to both, sent in one go, are answered in their order" "OK OK first second PONG" \
        "$(printf 'SET a first\nSET orders:b second\nGET a\nGET orders:b\nPING\n' | redis | tr '\n' ' ' | sed 's/ $//')"
    expect "the proxy counted 5 GET" 5 "$(stat redis.demo.command.get.total)"
    expect "and 4 SET" 4 "$(stat redis.demo.command.set.total)"
    expect "and 1 INCR" 1 "$(stat redis.demo.command.incr.total)"
    expect_true "all of it came through the outbound rule" [ "$(hits_of 'all other outbound TCP goes to the proxy')" -ge 7 ]
}

show_http() {
    chapter "HTTP: recognised by its first bytes, handed to nginx with the true addresses"
    local answer
    answer=$(as_app curl -sS --max-time 10 "http://$OUTSIDE_IP:8080/hello" 2>&1)
    tell "curl http://$OUTSIDE_IP:8080/hello in the pod: $answer"
    expect_match "the service outside answered, through the engine" "^outside: .*engine demo" "$answer"
    within 5 grep -q 'GET /hello' "$DIR/engine/access.log"
    show <"$DIR/engine/access.log"
    expect_match "nginx's own log has the true client and the original destination" \
        "^$POD_IP called $OUTSIDE_IP:8080 \"GET /hello" "$(cat "$DIR/engine/access.log")"
    local before exempt
    expect "the engine's own call to port 8080 was not captured: one curl, one connection at the proxy" 1 \
        "$(stat listener.0.0.0.0_8080.downstream_cx_total)"
    expect "what is not HTTP on that port goes through as it is" 400 \
        "$(ask as_app "$OUTSIDE_IP" 8080 $'\x01\x02 not http' | grep -oE ' 400 ' | tr -d ' ' | head -1)"
    before=$(count_so_far listener.0.0.0.0_8080.downstream_cx_total)
    exempt=$(hits_of 'connections of the proxy itself')
    expect "uid 1337 itself calls out" 200 \
        "$(as_proxy curl -s -o /dev/null -w '%{http_code}' --max-time 5 "http://$OUTSIDE_IP:8080/")"
    expect "left alone by the rule for uid 1337" $((exempt + 1)) "$(hits_of 'connections of the proxy itself')"
    expect "the proxy saw nothing of it: no loop" "$before" "$(stat listener.0.0.0.0_8080.downstream_cx_total)"
}

milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }

show_tcp_udp() {
    chapter "Plain TCP and UDP"
    local began line
    expect "a line to an unknown service and back" "outside hello" "$(ask as_app "$OUTSIDE_IP" 7200 hello)"
    began=$(milliseconds)
    line=$(first_line as_app "$OUTSIDE_IP" 2525)
    tell "\"$line\" after $(($(milliseconds) - began)) ms"
    expect "a server that speaks first is heard" "220 outside speaks first" "$line"
    expect_true "and nobody waited for the client's first bytes" [ $(($(milliseconds) - began)) -lt 2500 ]
    expect "UDP to the listener at 127.0.0.1:9000 comes back" "ping over udp" \
        "$(echo 'ping over udp' | as_app timeout 5 socat -t 2 - UDP4:127.0.0.1:9000)"
    expect "a second UDP session has its own answer" "pong over udp" \
        "$(echo 'pong over udp' | as_app timeout 5 socat -t 2 - UDP4:127.0.0.1:9000)"
    expect "an excluded port is reached" "untouched hello" "$(ask as_app "$OUTSIDE_IP" 7300 hello)"
    expect "by the rule that leaves it alone" 1 "$(hits_of 'outbound ports excluded by request')"
    expect "and the proxy knows nothing of it" 0 "$(grep -c ":7300" "$DIR/access.log")"
}

show_inbound() {
    chapter "Inbound: calls from outside to the pod"
    local before answer began line
    before=$(count_so_far listener.0.0.0.0_15006.downstream_cx_total)
    answer=$(in_outside curl -sS --max-time 10 "http://$POD_IP:8080/inbound" 2>&1)
    tell "curl http://$POD_IP:8080/inbound from outside: $answer"
    expect_match "the application answered; it sees 127.0.0.6 and is told of $OUTSIDE_IP" "^app: peer 127.0.0.6, for $OUTSIDE_IP, engine demo" "$answer"
    within 5 grep -q 'GET /inbound' "$DIR/engine/access.log"
    expect_match "nginx's log has the true client" "^$OUTSIDE_IP called $POD_IP:8080 \"GET /inbound" "$(cat "$DIR/engine/access.log")"
    expect "plain TCP reaches the application from 127.0.0.6" "peer 127.0.0.6" "$(ask in_outside "$POD_IP" 7100 hello)"
    began=$(milliseconds)
    line=$(first_line in_outside "$POD_IP" 2525)
    tell "\"$line\" after $(($(milliseconds) - began)) ms"
    expect "a server in the pod that speaks first is heard" "220 the pod speaks first" "$line"
    expect_true "and nobody waited for the client's first bytes" [ $(($(milliseconds) - began)) -lt 2500 ]
    expect "three calls, three connections at the inbound listener: no loop" $((before + 3)) "$(stat listener.0.0.0.0_15006.downstream_cx_total)"
    expect "an excluded inbound port sees the true client" "peer $OUTSIDE_IP" "$(ask in_outside "$POD_IP" 7301 hello)"
    expect "and the inbound listener nothing" $((before + 3)) "$(stat listener.0.0.0.0_15006.downstream_cx_total)"
}

colour_is() { [ "$(ask as_app "$OUTSIDE_IP" 7000 new)" = "$1 new" ]; }

hold_call() { # port: opens a call that stays; $to and $from are its ends
    coproc HELD { as_app socat -t 5 - "TCP:$OUTSIDE_IP:$1"; }
    held=$HELD_PID
    exec {to}>&"${HELD[1]}" {from}<&"${HELD[0]}"
    eval "exec ${HELD[1]}>&- ${HELD[0]}<&-"
}
held_ask() { # text -> answer in $answer
    answer=
    echo "$1" >&"$to" && read -r -t 10 answer <&"$from"
}
drop_call() { exec {to}>&- {from}<&-; wait "$held" 2>/dev/null; }

show_live_change() {
    chapter "A file changes: new connections go to another backend, the open one goes on"
    hold_call 7000
    held_ask one
    expect "an open connection to the service: backend blue" "blue one" "$answer"
    fill colour.yaml xds/colour.yaml COLOUR=green COLOUR_PORT=7002
    tell "xds/colour.yaml now names backend green"
    expect_true "new connections reach green" within 10 colour_is green
    held_ask two
    expect "the open connection still talks to blue" "blue two" "$answer"
    printf 'resources: [ {"@type": type.goo' >"$DIR/xds/colour.yaml.new" && mv "$DIR/xds/colour.yaml.new" "$DIR/xds/colour.yaml"
    tell "xds/colour.yaml is now half a file"
    expect_true "it is rejected, and /config_dump says so" within 10 rejected_is_told
    expect_true "and new connections still reach green" colour_is green
    held_ask three
    expect "the open connection has lost nothing" "blue three" "$answer"
    drop_call
}
rejected_is_told() { admin "http://127.0.0.1:15000/config_dump?include_eds" | grep -q error_state; }

show_account() {
    chapter "What was captured, by which rule, to where"
    rule_hits | awk -F'\t' '$2 > 0 { printf "%5d  %-12s %-16s %s\n", $2, $1, $3, $4 }' | show
    tell "from the proxy's access log ($(wc -l <"$DIR/access.log") lines):"
    head -6 "$DIR/access.log" | show
    tell "from its metrics on port 15090:"
    in_outside curl -sS --max-time 5 "http://$POD_IP:15090/stats/prometheus" 2>&1 | grep -E '^envoy_redis_command_(get|set|incr)?_?total|^envoy_listener_downstream_cx_total' | head -8 | show
    expect_match "the log tells of the banner's connection" "$POD_IP:[0-9]+ called $OUTSIDE_IP:2525: outbound-passthrough at $OUTSIDE_IP:2525" \
        "$(cat "$DIR/access.log")"
    expect_match "metrics are there for the outside to scrape" '^envoy_' \
        "$(in_outside curl -sS --max-time 5 "http://$POD_IP:15090/stats/prometheus" 2>&1)"
}

refused() { ! as_app timeout 5 bash -c "exec 3<>/dev/tcp/$OUTSIDE_IP/7200" 2>/dev/null; }

show_drain() {
    chapter "SIGTERM: no new connections, the open ones finish"
    local i right=0 status
    hold_call 7200
    # The reader holds back at first, so that most of the bytes are still to come when the signal arrives.
    as_app timeout 30 bash -c 'exec 3<>"/dev/tcp/$0/7500"; sleep 1; cat <&3 | wc -c' "$OUTSIDE_IP" >"$DIR/bulk.count" 2>&1 &
    local bulk=$!
    for i in {1..20}; do
        held_ask "line $i"
        [ "$answer" = "outside line $i" ] && right=$((right + 1))
        if [ "$i" -eq 5 ]; then
            sleep 0.3
            kill -TERM "$proxy"
            tell "SIGTERM sent after line $i"
        fi
        [ "$i" -ne 10 ] || expect_true "a new connection is refused meanwhile" within 5 refused
        sleep 0.05
    done
    expect "an open conversation: 20 lines, 20 answers" 20 "$right"
    wait "$bulk"
    expect "a download under way: every byte of 30000000" 30000000 "$(tail -1 "$DIR/bulk.count")"
    expect_true "the proxy waits for the last connection" kill -0 "$proxy"
    drop_call
    local until=$((SECONDS + 30))
    while kill -0 "$proxy" 2>/dev/null && [ "$SECONDS" -lt "$until" ]; do sleep 0.1; done
    kill -0 "$proxy" 2>/dev/null && { bad "the proxy did not end"; return; }
    wait "$proxy"
    status=$?
    expect "and then ends with exit code 0" 0 "$status"
}

show_cleanup() {
    chapter "Cleaning up the rules"
    expect_true "meshl4-init cleanup succeeds" init cleanup
    expect "and leaves the namespace as it was" "" "$(rules_now)"
    expect "the application now calls out by itself" "outside hello" "$(ask as_app "$OUTSIDE_IP" 7200 hello)"
}

for act in "${acts[@]}"; do
    "$act"
    played+=" $act"
done
echo
finish
