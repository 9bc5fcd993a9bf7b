#!/bin/sh
# Runs the metadata store. Usage: metadata.sh PORT, with the database in DATABASE_HOST, DATABASE_PORT, DATABASE_NAME,
# DATABASE_USER and DATABASE_PASSWORD.
#
# The password goes into a file: as a flag, everybody who lists processes would read it.
set -eu
umask 077
quoted() { printf '%s' "$1" | sed 's/["\\]/\\&/g'; }
cat >/tmp/store.pbtxt <<END
connection_config {
  mysql {
    host: "$(quoted "$DATABASE_HOST")"
    port: $DATABASE_PORT
    database: "$(quoted "$DATABASE_NAME")"
    user: "$(quoted "$DATABASE_USER")"
    password: "$(quoted "$DATABASE_PASSWORD")"
  }
}
migration_options { enable_upgrade_migration: true }
END
unset DATABASE_PASSWORD
exec /bin/metadata_store_server \
    --grpc_port="$1" \
    --metadata_source_config_type=config_file \
    --metadata_store_server_config_file=/tmp/store.pbtxt \
    --grpc_channel_arguments=grpc.max_metadata_size=16384,grpc.max_receive_message_length=104857600,grpc.max_send_message_length=104857600
