#!/usr/bin/env bash
# Counts the instructions of a lookup, and of a request, and holds them against instructions.txt.
# A count is the same on a busy machine and on an idle one, so a lookup that
# got slower is caught where a clock would only shrug.
#
#   benches/instructions.sh [--check]   fails if a lookup takes over 5 % more
#   benches/instructions.sh --record    accepts the figures of now
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."

readonly RECORD=benches/instructions.txt
readonly CASES=(hash_only primary owners3 view batch100 get16 mg16 set16 get100)
readonly LOOKUPS=100000
readonly MORE_PERCENT_MAX=5

skip() {
    printf 'skipped: %s\n' "$1"
    exit 0
}

# What the figures depend on besides the code.
compiler() {
    rustc -vV | awk '/^host:/ { host = $2 } /^release:/ { print host, "rustc", $2 }'
}

# The program that makes the lookups, built as the benchmarks are.
build() {
    cargo bench --locked --bench instructions --no-run --message-format=json |
        sed -n 's/.*"name":"instructions".*"executable":"\([^"]*\)".*/\1/p'
}

# instructions CASE LOOKUPS: those of a whole run, start-up included.
instructions() {
    local said
    if ! said=$(env CASE="$1" LOOKUPS="$2" valgrind --tool=callgrind \
        --callgrind-out-file=/dev/null "$program" 2>&1); then
        printf '%s\n' "$said" >&2
        return 1
    fi
    awk '/Collected :/ { print $4; found = 1 } END { exit !found }' <<<"$said"
}

# per_lookup CASE: what a run with lookups takes more than a run without.
per_lookup() {
    local none all
    none=$(instructions "$1" 0)
    all=$(instructions "$1" "$LOOKUPS")
    awk -v none="$none" -v all="$all" -v lookups="$LOOKUPS" \
        'BEGIN { printf "%.2f\n", (all - none) / lookups }'
}

record() {
    local case now lines
    lines="# Instructions per lookup, written by benches/instructions.sh --record"
    lines+=$'\n'"# $(compiler)"
    for case in "${CASES[@]}"; do
        now=$(per_lookup "$case")
        lines+=$'\n'$(printf '%-10s %8s' "$case" "$now")
    done
    tee "$RECORD" <<<"$lines"
}

# row CASE NOW: prints a line of the table; false if it is too many.
row() {
    local recorded
    recorded=$(awk -v name="$1" '$1 == name { print $2 }' "$RECORD")
    awk -v name="$1" -v now="$2" -v recorded="${recorded:-0}" -v most="$MORE_PERCENT_MAX" '
        BEGIN {
            if (recorded == 0) {
                printf "%-10s %9s %9.2f  not recorded\n", name, "-", now
                exit 1
            }
            more = (now / recorded - 1) * 100
            printf "%-10s %9.2f %9.2f %+7.1f %%%s\n", name, recorded, now, more, \
                (more > most ? "  too many" : "")
            exit more > most
        }'
}

check() {
    local case now failed=0
    printf '%-10s %9s %9s %9s\n' case recorded now change
    for case in "${CASES[@]}"; do
        now=$(per_lookup "$case")
        row "$case" "$now" || failed=1
    done
    if ((failed)); then
        printf '\nOver %d %% above the record, or not in it. If that is meant to be, accept it with\n' \
            "$MORE_PERCENT_MAX"
        printf '    benches/instructions.sh --record\n'
        printf 'Recorded with %s, counted with %s.\n' "$recorded_with" "$(compiler)"
        exit 1
    fi
}

readonly mode=${1---check}
if [[ $mode != --check && $mode != --record ]]; then
    printf 'usage: %s [--check | --record]\n' "$0" >&2
    exit 2
fi
command -v valgrind >/dev/null || skip "valgrind is not installed"
if [[ $mode == --check ]]; then
    recorded_with=$(sed -n 's/^# \(.* rustc .*\)/\1/p' "$RECORD")
    host=$(compiler)
    [[ ${host%% *} == "${recorded_with%% *}" ]] ||
        skip "recorded on ${recorded_with%% *}, this is ${host%% *}"
fi
program=$(build)
"${mode#--}"
