#!/usr/bin/env bash
# Set-up, build, every test. The last line, alone, is the result: `N passed, N failed`, with `, N skipped` when there are skips.
# Exit code 0 only with 0 failed. `--quick` leaves out the end-to-end tests and the publishing they need.
# Root is needed for the end-to-end tests: they make network namespaces.
# `--fuzz [minutes] [codec]` runs only the fuzzer of the codec kit, 10 minutes for each codec unless told, with new seeds.
set -uo pipefail
# nft, nginx and ip live in sbin, which a plain `su` leaves out.
export PATH="$PATH:/usr/sbin:/sbin"
cd "$(dirname "${BASH_SOURCE[0]}")"

quick='' fuzz=''
case "${1:-}" in
    "") ;;
    --quick) quick=1 ;;
    --fuzz) fuzz=${2:-10} ;;
    *) echo "usage: ./test.sh [--quick | --fuzz [minutes] [codec]]" >&2; exit 2 ;;
esac

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1
results=$PWD/TestResults
passed=0 failed=0 skipped=0
running=()

say() { printf 'test: %s\n' "$*"; }

finish() { # the only way out: the result line, then the exit code
    local line="$passed passed, $failed failed"
    [ "$skipped" -eq 0 ] || line+=", $skipped skipped"
    echo "$line"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

give_up() { say "$*"; failed=$((failed + 1)); finish; }

stop_running() { # ends the test runs this script started, each with its own process group
    local pid
    for pid in "${running[@]}"; do kill -TERM -- "-$pid" 2>/dev/null; done
    give_up "interrupted"
}
trap stop_running INT TERM HUP

step() { # title, command...: says what runs, shows its output only when it fails
    local title=$1 log=$results/step.log began=$SECONDS
    shift
    say "$title"
    "$@" >"$log" 2>&1 || { cat "$log"; give_up "$title: failed"; }
    say "$title: done in $((SECONDS - began)) s"
}

counter() { # TRX file, name -> the figure in <Counters name="figure">
    sed -n "s/.*<Counters[^>]* $2=\"\([0-9]*\)\".*/\1/p" "$1" | head -1
}

run_project() { # project name: runs its tests; exit code and output stay beside the TRX file
    local name=$1 project extra=()
    project=$(ls {tests,samples}/"$name/$name.csproj" 2>/dev/null)
    [ "$name" != EndToEnd.Tests ] || extra=(--logger 'console;verbosity=normal')
    dotnet test "$project" -c Release --no-build --nologo --results-directory "$results" \
        --logger "trx;LogFileName=$name.trx" "${extra[@]}" \
        --blame-hang-timeout 5m --blame-hang-dump-type none
    echo $? >"$results/$name.exit"
}

settle() { # project name, seconds: adds its figures to the totals; what cannot be counted is a failure
    local name=$1 seconds=$2 trx=$results/$1.trx total executed ok bad code outcome
    code=$(cat "$results/$name.exit" 2>/dev/null || echo 'none')
    if [ ! -s "$trx" ]; then
        failed=$((failed + 1))
        cat "$results/$name.log"
        say "$name: FAILED, no results were written (exit code $code)"
        return
    fi
    total=$(counter "$trx" total) executed=$(counter "$trx" executed) ok=$(counter "$trx" passed)
    outcome=$(sed -n 's/.*<ResultSummary[^>]* outcome="\([A-Za-z]*\)".*/\1/p' "$trx" | head -1)
    : "${total:=0}" "${executed:=0}" "${ok:=0}"
    bad=$((executed - ok))
    if [ "$total" -eq 0 ]; then
        bad=1
        say "$name: no test was found"
    elif [ "$bad" -eq 0 ] && { [ "$code" != 0 ] || [ "$outcome" != Completed ]; }; then
        bad=1
        say "$name: every test counted passed, but the run ended $outcome with exit code $code"
    fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + total - executed))
    [ "$name" != Architecture.Tests ] || grep -hoE "[a-z]+: (files|methods): [0-9]+, median[^)]*\)" "$trx" | while read -r line; do say "$line"; done
    if [ "$bad" -ne 0 ]; then
        grep -v '^ *Passed ' "$results/$name.log"
        say "$name: FAILED, $ok passed, $bad failed of $total in $seconds s"
    else
        say "$name: $ok passed of $total in $seconds s"
    fi
}

run_all() { # at most, project names...
    local most=$1 name began pid
    shift
    declare -A names=() since=()
    while [ $# -gt 0 ] || [ "${#names[@]}" -gt 0 ]; do
        while [ $# -gt 0 ] && [ "${#names[@]}" -lt "$most" ]; do
            say "$1: running"
            set -m # a process group of its own, so that an interrupt can end all of it
            run_project "$1" >"$results/$1.log" 2>&1 &
            set +m
            names[$!]=$1 since[$!]=$SECONDS
            shift
        done
        running=("${!names[@]}")
        for pid in "${running[@]}"; do
            kill -0 "$pid" 2>/dev/null && continue
            wait "$pid" 2>/dev/null
            name=${names[$pid]} began=${since[$pid]}
            unset "names[$pid]" "since[$pid]"
            settle "$name" "$((SECONDS - began))"
        done
        sleep 0.2
        if [ $((SECONDS % 30)) -eq 0 ] && [ "${#names[@]}" -gt 0 ]; then
            say "still running: ${names[*]}"
            sleep 1
        fi
    done
    running=()
}

run_fuzzer() { # minutes, codec or nothing for all
    [[ $1 =~ ^[0-9]+$ && ${2:-} =~ ^[a-z0-9]*$ ]] || give_up "--fuzz takes minutes and the name of a codec"
    # Codecs of the build have their tests in one project, the sample's codec beside it, as an author's own has.
    local own=samples/PingPong.Tests
    case "${2:-}" in
        "") fuzz_project "$1" tests/Codecs.Tests "FullyQualifiedName~MutatedFrames"; fuzz_project "$1" "$own" "FullyQualifiedName~MutatedFrames" ;;
        pingpong) fuzz_project "$1" "$own" "FullyQualifiedName~MutatedFrames" ;;
        *) fuzz_project "$1" tests/Codecs.Tests "FullyQualifiedName~MutatedFrames&DisplayName~$2" ;;
    esac
}

fuzz_project() { # minutes, project, filter
    local name
    name=fuzz-$(basename "$2")
    step "building $2" dotnet build "$2" -c Release -v quiet
    say "fuzzing for $1 minutes a codec of $2"
    MESHL4_FUZZ_MINUTES=$1 dotnet test "$2" -c Release --no-build --nologo --results-directory "$results" \
        --logger "trx;LogFileName=$name.trx" --filter "$3" >"$results/$name.log" 2>&1
    echo $? >"$results/$name.exit"
    grep -ohE '[a-z0-9]+: seed [0-9]+, [0-9]+ inputs, [0-9]+ kept' "$results/$name.trx" | while read -r line; do say "$line"; done
    settle "$name" "$SECONDS"
}

rm -rf "$results"
mkdir -p "$results"

if [ -n "$fuzz" ]; then
    run_fuzzer "$fuzz" "${3:-}"
    finish
fi

say "checking the machine"
eng/setup.sh || give_up "set-up: something required is missing"

locked=()
[ -z "${CI:-}" ] || locked=(--locked-mode)
step "restoring packages" dotnet restore MeshL4.sln "${locked[@]}" -v quiet
step "building the solution" dotnet build MeshL4.sln -c Release --no-restore -v quiet
[ -n "$quick" ] || step "publishing the executables" ./build.sh

projects=()
for file in tests/*.Tests/*.csproj samples/*.Tests/*.csproj; do
    name=$(basename "$file" .csproj)
    [ "$name" != EndToEnd.Tests ] || continue
    projects+=("$name")
done
run_all 2 "${projects[@]}"

if [ -z "$quick" ]; then
    run_all 1 EndToEnd.Tests
fi
finish
