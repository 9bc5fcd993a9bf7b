#!/bin/sh
# Replaces the database's content by that of a dump. Runs in PostgreSQL's image. Usage: load.sh DUMP
#
# All of it or nothing: the dump is turned into SQL as a whole first, then one transaction drops what there is
# and makes what was. Everybody else is disconnected, so that nobody holds a lock on what is dropped.
set -eu

sql="${1%.dump}.sql"
{
    echo "SET lock_timeout = '60s';"
    echo "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    echo "  WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid();"
    echo "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
} >"$sql"
pg_restore --no-owner --no-privileges --file=- "$1" >>"$sql"
psql --no-psqlrc --quiet --output=/dev/null --set=ON_ERROR_STOP=1 --single-transaction --file="$sql"
echo "the database's content is that of the backup"
