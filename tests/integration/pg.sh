#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# pg.sh COMMAND... - runs COMMAND with a private, migrated PostgreSQL and a Redis: $SEKISHO_CONFIG names the configuration,
# $PGHOST and $PGDATABASE serve psql. Everything is gone afterwards.
exec /usr/bin/python3 - "$0" "$@" <<'PY'
import os, subprocess, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[1])))
from cell import Cell
with Cell() as cell:
    cell.bootstrap()
    env = dict(os.environ, SEKISHO_CONFIG=str(cell.config), PGHOST=str(cell.sockets), PGDATABASE="sekisho", PGUSER="postgres")
    sys.exit(subprocess.run(sys.argv[2:], env=env, stdin=subprocess.DEVNULL).returncode)
PY
