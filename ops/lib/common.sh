# SPDX-License-Identifier: Apache-2.0
# Shared by ops/demo, ops/test and ops/bench: messages, packages, the user that services run as, private PostgreSQL and Redis.
# Sourced by bash scripts with `set -eu`; ROOT is the checkout.

say() { printf '%s\n' "$*"; }
fail() {
    printf 'ops/%s: %s\n' "${SELF:-sekisho}" "$*" >&2
    exit 1
}

# ---- packages

BUILD_PACKAGES="build-essential cmake ninja-build pkg-config python3 python3-yaml python3-jsonschema libh2o-evloop-dev libssl-dev
 libpq-dev libjwt-dev libhiredis-dev libjansson-dev libargon2-dev libcurl4-openssl-dev libnghttp2-dev zlib1g-dev"
RUN_PACKAGES="postgresql redis-server clamav-daemon clamav nftables openssl curl ca-certificates util-linux iproute2 procps"
TEST_PACKAGES="libcmocka-dev clang llvm libclang-rt-14-dev clang-format clang-tidy valgrind nghttp2-client squid-openssl chromium
 fonts-ipafont-gothic dpkg-dev fakeroot file git jq libcap2-bin"
BENCH_PACKAGES="nginx-light redis-tools binutils git nghttp2-client"

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "this step needs root, and sudo is not installed: $*"
    fi
}

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'; }

# Installs what is missing. Services of the packages are kept from starting, and PostgreSQL's package from making a cluster of
# its own: we only need the programs.
install_packages() {
    local missing="" p policy=""
    for p in "$@"; do installed "$p" || missing="$missing $p"; done
    [ -n "$missing" ] || return 0
    [ -r /etc/debian_version ] || fail "only Debian 12 is known here; please install:$missing"
    say "Installing:$missing"
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        policy=1
        printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
        as_root chmod 755 /usr/sbin/policy-rc.d
    fi
    if ! installed postgresql-common && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        as_root mkdir -p /etc/postgresql-common
        printf 'create_main_cluster = false\n' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    local log ok=1
    log=$(mktemp)
    { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1 || ok=
    [ -z "$policy" ] || as_root rm -f /usr/sbin/policy-rc.d
    if [ -z "$ok" ]; then
        tail -n 5 "$log" >&2
        fail "a package could not be installed (see $log):$missing"
    fi
    rm -f "$log"
}

need_node() {
    local version
    version=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
    if [ -z "$version" ]; then
        install_packages nodejs npm
        version=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
    fi
    [ "$version" -ge 18 ] || fail "the console is built with Node.js 18 or newer; this is $(node --version)"
}

# ---- who and where

# Services never run as root: as root a system user is made; otherwise the caller is that user.
service_user() {
    if [ "$(id -u)" != 0 ]; then
        id -un
        return
    fi
    id sekisho >/dev/null 2>&1 || useradd --system --home-dir /var/lib/sekisho --shell /usr/sbin/nologin sekisho
    printf 'sekisho'
}

# Runs a command as the service user, without a login environment.
as_service() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec runuser -u "$SERVICE_USER" -- "$@")
    else
        "$@"
    fi
}

# The state folder: given, or .run in the checkout if the service user can reach it, else below /var/lib.
state_folder() {
    local wanted="${SEKISHO_HOME:-$ROOT/.run}"
    mkdir -p "$wanted" 2>/dev/null || fail "the folder $wanted cannot be made"
    if [ "$(id -u)" = 0 ] && ! as_service test -x "$wanted"; then
        [ -z "${SEKISHO_HOME:-}" ] || fail "the user $SERVICE_USER cannot reach $wanted; choose another SEKISHO_HOME"
        wanted=/var/lib/sekisho/run
        mkdir -p "$wanted"
    fi
    printf '%s' "$wanted"
}

own() { [ "$(id -u)" != 0 ] || chown -R "$SERVICE_USER" "$@"; }

need_disk() { # folder, MiB
    local free
    free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$2" ] || fail "$1 has $free MiB free; $2 MiB are needed"
}

port_free() { ! ss -Hltn "sport = :$1" | grep -q .; }

# ---- processes, by pid file

alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

# Writes the pid of a program that was started through runuser and setsid: it may take a moment until it is itself.
note_pid() { # pid file, user, pattern of its command line
    local i
    for i in $(seq 100); do
        pgrep -u "$2" -f "$3" | head -n 1 >"$1"
        [ ! -s "$1" ] || return 0
        sleep 0.1
    done
}

stop_pid() { # pid file, seconds of patience
    alive "$1" || { rm -f "$1"; return 0; }
    local pid i
    pid=$(cat "$1")
    kill "$pid" 2>/dev/null || true
    for i in $(seq $(($2 * 10))); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
    rm -f "$1"
}

wait_for() { # seconds, what, command...
    local seconds=$1 what=$2 i
    shift 2
    for i in $(seq $((seconds * 10))); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    fail "$what did not come up within $seconds s"
}

# ---- PostgreSQL and Redis of our own: sockets only, in a short folder (a socket's path has 107 bytes at most)

pg_bin() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1; }

cell_paths() { # state folder
    CELL=$1
    SOCKETS=$CELL/s
    if [ ${#SOCKETS} -gt 80 ]; then
        SOCKETS=/tmp/sekisho-$(printf '%s' "$CELL" | sha256sum | cut -c1-12)
    fi
    PGDATA_DIR=$CELL/postgres
}

start_postgres() {
    local bin
    bin=$(pg_bin)
    [ -n "$bin" ] || fail "PostgreSQL is not installed"
    mkdir -p "$SOCKETS" "$CELL/log"
    chmod 700 "$SOCKETS"
    own "$SOCKETS" "$CELL/log"
    if [ ! -s "$PGDATA_DIR/PG_VERSION" ]; then
        mkdir -p "$PGDATA_DIR"
        chmod 700 "$PGDATA_DIR"
        own "$PGDATA_DIR"
        as_service "$bin/initdb" -D "$PGDATA_DIR" -U postgres -A trust --encoding UTF8 --locale C >"$CELL/log/initdb.log" 2>&1 ||
            fail "PostgreSQL's data folder could not be made (see $CELL/log/initdb.log)"
        cat >>"$PGDATA_DIR/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$SOCKETS'
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 128MB
max_locks_per_transaction = 256
autovacuum_naptime = 5min
${PG_EXTRA:-}
CONF
    fi
    as_service "$bin/pg_ctl" -D "$PGDATA_DIR" status >/dev/null 2>&1 ||
        as_service "$bin/pg_ctl" -D "$PGDATA_DIR" -l "$CELL/log/postgres.log" -w -t 60 start >/dev/null ||
        fail "PostgreSQL did not start (see $CELL/log/postgres.log)"
}

stop_postgres() {
    local bin
    bin=$(pg_bin)
    [ -n "$bin" ] && [ -d "$PGDATA_DIR" ] || return 0
    as_service "$bin/pg_ctl" -D "$PGDATA_DIR" -m fast -w -t 60 stop >/dev/null 2>&1 || true
}

start_redis() {
    alive "$CELL/redis.pid" && return 0
    mkdir -p "$SOCKETS" "$CELL/redis" "$CELL/log"
    own "$SOCKETS" "$CELL/redis" "$CELL/log"
    as_service setsid redis-server --port 0 --unixsocket "$SOCKETS/redis" --unixsocketperm 700 --dir "$CELL/redis" --save '' \
        --appendonly no --maxmemory 128mb --maxmemory-policy volatile-lru --daemonize no >"$CELL/log/redis.log" 2>&1 &
    wait_for 10 Redis as_service redis-cli -s "$SOCKETS/redis" ping
    as_service redis-cli -s "$SOCKETS/redis" info server | tr -d '\r' | sed -n 's/^process_id://p' >"$CELL/redis.pid"
}

stop_redis() { stop_pid "$CELL/redis.pid" 5; }
