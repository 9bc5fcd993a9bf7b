#!/bin/sh
# Works on the repository of backups. Runs in restic's image. Usage: repository.sh save|list|verify|fetch
#
# The repository is RESTIC_REPOSITORY, its password RESTIC_PASSWORD, the keys of its bucket are in AWS's variables.
# PLATFORM names whose backups are meant; KEEP how many are kept; TAG what kind `save` makes; SNAPSHOT which one
# `fetch` takes (`latest` or an id). Files are below /scratch. Exit codes are restic's; 65: no such backup.
# PIPELINES is the platform's own name if it has pipelines: then their part is saved, and fetched if it is theirs.
set -eu

wait_for_lock="--retry-lock=5m"

# `cat config` ends with 10 where there is no repository yet; anything else, a wrong password for one, is an error.
save() {
    code=0
    restic cat config >/dev/null 2>/tmp/why || code=$?
    if [ "$code" -eq 10 ]; then
        restic init
    elif [ "$code" -ne 0 ]; then
        cat /tmp/why >&2
        exit "$code"
    fi
    mkdir -p /scratch/artifacts
    set -- /scratch/database.dump /scratch/artifacts
    if [ -n "${PIPELINES:-}" ]; then
        mkdir -p /scratch/pipelines/artifacts
        set -- "$@" /scratch/pipelines
    fi
    restic backup "$wait_for_lock" --host "$PLATFORM" --tag "$TAG" "$@"
    # What is restored next must not be forgotten for the sake of what it replaces.
    [ "$TAG" != before-restore ] || return 0
    restic forget "$wait_for_lock" --host "$PLATFORM" --group-by host --keep-last "$KEEP" --prune
}

list() {
    code=0
    restic snapshots --json --host "$PLATFORM" 2>/tmp/why || code=$?
    if [ "$code" -eq 10 ]; then
        echo "[]"
    elif [ "$code" -ne 0 ]; then
        cat /tmp/why >&2
        exit "$code"
    fi
}

# Reads and checks every byte.
verify() {
    restic check "$wait_for_lock" --read-data
}

# restic compares what it reads with its checksum, and --verify what it wrote, so what is damaged ends here.
fetch() {
    # The latest is not what a restore saved of the state that it replaced. An id may be that, too: with an id, restic
    # looks at neither tags nor host.
    kinds="--tag scheduled --tag manual"
    # shellcheck disable=SC2086  # two options
    found=$(restic snapshots --json --host "$PLATFORM" $kinds "$SNAPSHOT")
    if ! printf '%s' "$found" | grep -qF "\"hostname\":\"$PLATFORM\""; then
        echo "the repository has no backup $SNAPSHOT of the platform $PLATFORM" >&2
        exit 65
    fi
    pipelines=$(of_pipelines "$found")
    case $pipelines in absent | foreign) set -- --exclude /scratch/pipelines ;; esac
    # shellcheck disable=SC2086
    restic restore "$SNAPSHOT" --host "$PLATFORM" $kinds --target / --verify "$@"
    [ -f /scratch/database.dump ] && [ -d /scratch/artifacts ] || {
        echo "the backup $SNAPSHOT is not one of a platform: it lacks the database or the artifacts" >&2
        exit 65
    }
    if [ "$pipelines" = restored ]; then
        for part in mlpipeline.sql metadb.sql artifacts; do
            [ -e "/scratch/pipelines/$part" ] || {
                echo "the backup $SNAPSHOT is not whole: it lacks pipelines/$part" >&2
                exit 65
            }
        done
    fi
    [ -z "${PIPELINES:-}" ] || mkdir -p /scratch/pipelines/artifacts
    [ "$pipelines" = none ] || echo "pipelines: $pipelines"
}

# What becomes of pipelines, as `ziggurat restore` tells it: they are restored from what restic lists in $1; kept,
# as it has nothing of them; or their part is left out, as they are of another platform, or there are none here. What
# they recorded names the namespaces of teams, which begin with the platform's name.
of_pipelines() {
    if ! printf '%s' "$1" | grep -qF '"/scratch/pipelines"'; then
        [ -n "${PIPELINES:-}" ] && echo kept || echo none
    elif [ -z "${PIPELINES:-}" ]; then
        echo absent
    elif [ "$PIPELINES" != "$PLATFORM" ]; then
        echo foreign
    else
        echo restored
    fi
}

"$1"
