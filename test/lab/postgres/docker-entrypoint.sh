#!/bin/sh
# The part of the official image's entry point that a server in a cluster needs: an empty PGDATA becomes a cluster whose
# superuser has the password of POSTGRES_PASSWORD_FILE.
set -eu
[ "${1#-}" = "$1" ] || set -- postgres "$@"
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
	initdb --pgdata="$PGDATA" --username=postgres --pwfile="${POSTGRES_PASSWORD_FILE:?}" --auth-local=trust --auth-host=scram-sha-256
	echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
exec "$@"
