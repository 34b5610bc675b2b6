#!/usr/bin/env bash
# Real clients against a started server: run.sh RINGCACHED
#
# Each program beside this file drives one client. What cannot be installed is
# skipped with its reason; a client that fails makes this fail. Needs the package
# registries; nothing is left behind.
set -uo pipefail
cd "$(dirname "$0")"

readonly SERVER=$1
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
        sleep 0.05
    done
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
    done
}

python_clients
node_clients

printf '\n%-18s %-10s %s\n' client version result
printf '%s\n' "${rows[@]}"
exit "$failed"
