#!/bin/sh
# Runs MySQL on its volume. Usage: mysql.sh FOLDER INIT_FILE
#
# INIT_FILE is executed at each start, before anybody can connect: it makes what is missing, and gives every user
# the password that it has now. So a rotated password needs a restart and no Job. The image's own entrypoint would
# run it while it prepares an empty volume, when MySQL takes no statements about users.
set -eu
folder=$1 init=$2
data="$folder/data"
if [ ! -d "$data" ]; then
    # Prepared beside it and then renamed: what was cut short is begun anew.
    rm -rf "$data.new"
    mysqld --initialize-insecure --datadir="$data.new"
    mv "$data.new" "$data"
fi
exec mysqld \
    --datadir="$data" \
    --init-file="$init" \
    --mysql-native-password=ON \
    --disable-log-bin \
    --mysqlx=OFF \
    --skip-name-resolve \
    --character-set-server=utf8mb4
