#!/usr/bin/env bash
# Real clients against a started server: run.sh RINGCACHED
#
# Each program beside this file drives one client; those called shared.* have all of
# them write and read the same keys through three nodes. What cannot be installed is
# skipped with its reason; a client that fails makes this fail. Needs the package
# registries; nothing is left behind.
set -uo pipefail

# Whole, because the next line leaves the folder that it may be relative to.
SERVER=$(realpath -e -- "$1") || exit
readonly SERVER
cd "$(dirname "$0")"

work=$(mktemp -d)
servers=()
end() {
    kill "${servers[@]}" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$work"
}
trap end EXIT

# start NAME FLAGS...: starts a server; its port is in the file NAME.port.
start() {
    local name=$1
    shift
    "$SERVER" -p 0 --ready-file "$work/$name.json" "$@" 2>"$work/$name.log" &
    servers+=($!)
    for _ in {1..1200}; do
        [[ -s $work/$name.json ]] && break
        kill -0 "${servers[-1]}" 2>/dev/null || break
        sleep 0.05
    done
    if [[ ! -s $work/$name.json ]]; then
        printf '%s did not start:\n' "$name"
        cat "$work/$name.log"
        exit 1
    fi
    # The only address of the file, after its last colon.
    sed -E 's/.*"client":"[^"]*:([0-9]+)".*/\1/' "$work/$name.json" >"$work/$name.port"
}

printf 'user:secret\n' >"$work/users"
start open
start guarded -Y "$work/users"
PORT=$(cat "$work/open.port")
GUARDED_PORT=$(cat "$work/guarded.port")
export PORT GUARDED_PORT
export PYTHONPATH=$PWD NODE_PATH=$work/npm/node_modules PYTHONDONTWRITEBYTECODE=1

rows=()
failed=0

# row CLIENT VERSION RESULT
row() {
    rows+=("$(printf '%-18s %-10s %s' "$1" "$2" "$3")")
}

# The programs of those that work, by their names.
declare -A shares=()
clients=()

# check CLIENT VERSION COMMAND...: runs one program.
check() {
    local name=$1 version=$2 said
    shift 2
    if said=$(timeout 60 "$@" 2>&1); then
        row "$name" "$version" "passed: $said"
    else
        row "$name" "$version" "FAILED"
        printf '%s\n%s\n' "$name:" "$said"
        failed=1
    fi
}

# last FILE: why something could not be installed.
last() {
    local said
    said=$(grep -v '^$' "$1" | tail -1 | cut -c1-90)
    printf '%s\n' "${said:-it took too long}"
}

python_clients() {
    local python=$work/venv/bin/python name version
    if ! python3 -m venv "$work/venv" >"$work/venv.log" 2>&1; then
        row "python" "-" "skipped: no venv, $(last "$work/venv.log")"
        return
    fi
    for name in pymemcache python-memcached pylibmc aiomcache emcache; do
        if ! timeout 120 "$python" -m pip install -q --disable-pip-version-check "$name" \
            >"$work/$name.log" 2>&1; then
            row "$name" "-" "skipped: $(last "$work/$name.log")"
            continue
        fi
        version=$("$python" -c \
            'import importlib.metadata as m, sys; print(m.version(sys.argv[1]))' "$name")
        check "$name" "$version" "$python" "${name//-/_}_client.py"
        clients+=("$name")
        shares[$name]="$python shared.py"
    done
}

node_clients() {
    local name version
    if ! command -v npm >/dev/null; then
        row "npm" "-" "skipped: npm is not installed"
        return
    fi
    mkdir -p "$work/npm"
    for name in memjs memcached memcache-plus; do
        if ! timeout 120 npm install --prefix "$work/npm" --silent --no-audit --no-fund "$name" \
            </dev/null >"$work/$name.log" 2>&1; then
            row "$name" "-" "skipped: $(last "$work/$name.log")"
            continue
        fi
        version=$(node -p 'require(process.argv[1] + "/package.json").version' \
            "$work/npm/node_modules/$name")
        check "$name" "$version" node "$name.js"
        clients+=("$name")
        shares[$name]="node shared.js"
    done
}

# peer NAME: where other nodes reach this one.
peer() {
    sed -E 's/.*"peer":"([^"]*)".*/\1/' "$work/$1.json"
}

# share CLIENT write|read SERVERS [WRITER...]: what it finds is added to $work/shared.
share() {
    local name=$1 said
    shift
    # Two words.
    # shellcheck disable=SC2086
    if ! said=$(timeout 60 ${shares[$name]} "$name" "$@" 2>&1 >>"$work/shared"); then
        row "$name" "-" "FAILED: shared keys, $*"
        printf '%s\n' "$said"
        failed=1
    fi
}

# judge WHAT all|some: how many keys of others were found; all of them, or some as on
# servers that know nothing of each other.
judge() {
    local found keys good
    read -r found keys < <(awk '$1 != $2 { f += $3; k += $4 } END { print f + 0, k + 0 }' "$work/shared")
    : >"$work/shared"
    case $2 in
        all) good=$((keys > 0 && found == keys)) ;;
        some) good=$((found > 0 && 2 * found < keys)) ;;
    esac
    if ((good)); then
        row "shared keys" "-" "passed: $1, $found of $keys found"
    else
        row "shared keys" "-" "FAILED: $1, $found of $keys found"
        failed=1
    fi
}

# place WHAT all|some SERVERS: every client writes to all servers, by its own placement,
# and every client reads by its own.
place() {
    local name
    for name in "${many[@]}"; do share "$name" write "$3"; done
    for name in "${many[@]}"; do share "$name" read "$3" "${many[@]}"; done
    judge "$1" "$2"
}

shared_keys() {
    local name at=0 nodes=() list caches=() many=()
    if ((${#clients[@]} < 2)); then
        row "shared keys" "-" "skipped: too few clients are installed"
        return
    fi
    start one --peer-listen 127.0.0.1:0
    start two --peer-listen 127.0.0.1:0 --join "$(peer one)"
    start three --peer-listen 127.0.0.1:0 --join "$(peer one)"
    for name in one two three; do nodes+=("127.0.0.1:$(cat "$work/$name.port")"); done
    list=$(IFS=,; printf '%s' "${nodes[*]}")
    : >"$work/shared"

    for name in "${clients[@]}"; do share "$name" write "${nodes[at++ % 3]}"; done
    for name in "${clients[@]}"; do share "$name" read "${nodes[at++ % 3]}" "${clients[@]}"; done
    judge "each client at a node of its own" all

    # This one takes a single server.
    for name in "${clients[@]}"; do [[ $name == aiomcache ]] || many+=("$name"); done
    for name in "${many[@]}"; do share "$name" read "$list" "${clients[@]}"; done
    judge "written through one node, read by each client's placement" all
    exec 3<>"/dev/tcp/${nodes[0]/://}"
    printf 'flush_all\r\nquit\r\n' >&3
    cat <&3 >/dev/null
    exec 3<&-
    place "written and read by each client's placement" all "$list"

    if ! command -v memcached >/dev/null; then
        row "shared keys" "-" "skipped: on memcacheds, memcached is not installed"
        return
    fi
    for name in four five six; do
        MEMCACHED_PORT_FILENAME=$work/$name.ports \
            memcached -l 127.0.0.1 -U 0 -p -1 $( ((EUID == 0)) && printf -- '-u root') &
        servers+=($!)
        for _ in {1..1200}; do
            [[ -s $work/$name.ports ]] && break
            sleep 0.05
        done
        caches+=("127.0.0.1:$(sed -n 's/TCP INET: //p' "$work/$name.ports")")
    done
    place "the same on three memcacheds" some "$(IFS=,; printf '%s' "${caches[*]}")"
}

python_clients
node_clients
shared_keys

printf '\n%-18s %-10s %s\n' client version result
printf '%s\n' "${rows[@]}"
exit "$failed"
