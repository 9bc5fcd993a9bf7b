#!/bin/sh
# Dumps the databases of pipelines, and puts them back. Runs in MySQL's image. Usage: pipelines.sh dump|stage|swap FOLDER
#
# The server is in DATABASE_HOST and DATABASE_PORT, the databases are API_DATABASE and METADATA_DATABASE, and who
# enters them is in API_USER, API_PASSWORD, METADATA_USER and METADATA_PASSWORD. FOLDER has one dump of each.
#
# A backup comes back in two steps, as MySQL has no transaction around what makes tables: `stage` loads the dumps into
# databases beside those in use, so what is incomplete or does not load ends there. `swap` then exchanges the tables
# by one RENAME of each database, which MySQL does as a whole or not at all.
set -eu
umask 077
verb=$1 folder=$2
login=/tmp/pipelines-login
trap 'rm -f "$login".*' EXIT

# In an option file a value may stand in quotes, and then has these two escaped.
escaped() {
    rest=$1 text=""
    while [ -n "$rest" ]; do
        character=${rest%"${rest#?}"}
        case $character in
            \\ | \") text="$text\\$character" ;;
            *) text="$text$character" ;;
        esac
        rest=${rest#?}
    done
    printf '%s' "$text"
}

# The password goes into a file: as a flag, everybody who lists processes would read it.
prepare() {
    printf '[client]\nprotocol=tcp\nhost="%s"\nport=%s\nuser="%s"\npassword="%s"\n' \
        "$(escaped "$DATABASE_HOST")" "$DATABASE_PORT" "$(escaped "$2")" "$(escaped "$3")" >"$login.$1"
}

# One transaction, so that nobody waits for it. What it leaves out (positions of replication, tablespaces, the
# date) takes rights on the whole server, or would make each dump another one for restic.
dump() {
    mysqldump --defaults-file="$login.$1" --single-transaction --set-gtid-purged=OFF --no-tablespaces \
        --skip-dump-date --hex-blob --max-allowed-packet=1G --result-file="$folder/$1.sql" "$1"
}

statements() {
    mysql --defaults-file="$login.$1" --batch --raw --skip-column-names
}

# Its last line is what mysqldump writes when it is done.
complete() {
    case $(tail -n 1 "$folder/$1.sql") in
        "-- Dump completed"*) ;;
        *)
            echo "the dump of $1 is not complete" >&2
            exit 65
            ;;
    esac
}

stage() {
    statements "$1" <<END
DROP DATABASE IF EXISTS $1_restored;
CREATE DATABASE $1_restored;
END
    mysql --defaults-file="$login.$1" --binary-mode --max-allowed-packet=1G "$1_restored" <"$folder/$1.sql"
}

# All tables out of the database in use, and all that were staged into it, in one statement.
renames() {
    statements "$1" <<END
SET SESSION group_concat_max_len = 1048576;
SELECT COALESCE(CONCAT('RENAME TABLE ', GROUP_CONCAT(step ORDER BY turn SEPARATOR ', '), ';'), '') FROM (
    SELECT 1 AS turn, CONCAT('$1.\`', table_name, '\` TO $1_replaced.\`', table_name, '\`') AS step
        FROM information_schema.tables WHERE table_schema = '$1' AND table_type = 'BASE TABLE'
    UNION ALL SELECT 2, CONCAT('$1_restored.\`', table_name, '\` TO $1.\`', table_name, '\`')
        FROM information_schema.tables WHERE table_schema = '$1_restored' AND table_type = 'BASE TABLE'
) AS steps;
END
}

# Whoever holds a table for longer than a minute makes it fail; by itself MySQL would wait for a year.
swap() {
    statements "$1" <<END
DROP DATABASE IF EXISTS $1_replaced;
CREATE DATABASE $1_replaced;
END
    found=$(renames "$1")
    statements "$1" <<END
SET SESSION lock_wait_timeout = 60;
$found
DROP DATABASE $1_replaced;
DROP DATABASE $1_restored;
END
    echo "the content of $1 is that of the backup"
}

prepare "$API_DATABASE" "$API_USER" "$API_PASSWORD"
prepare "$METADATA_DATABASE" "$METADATA_USER" "$METADATA_PASSWORD"
unset API_PASSWORD METADATA_PASSWORD
mkdir -p "$folder"
if [ "$verb" != dump ] && [ ! -f "$folder/$API_DATABASE.sql" ]; then
    echo "the backup has nothing of pipelines: they are left as they are"
    exit 0
fi
[ "$verb" != stage ] || for database in "$API_DATABASE" "$METADATA_DATABASE"; do complete "$database"; done
# In this order: what the first database knows of the second is there when the second is dumped.
for database in "$API_DATABASE" "$METADATA_DATABASE"; do "$verb" "$database"; done
