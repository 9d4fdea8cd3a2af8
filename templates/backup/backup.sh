#!/bin/sh
# Backups of this host, by restic: encrypted here, kept elsewhere. The deploy wrote this file.
#
#   backup save KIND                  KIND is gateway, or a project of this node; restic's summary as JSON
#   backup night KIND...              what the timer does
#   backup list KIND                  snapshots, as JSON
#   backup fetch KIND SNAPSHOT FOLDER a snapshot into a new folder, if the disk has room for it
#
# Each kind has a repository and a password of its own, in {{ etc }}/KIND.env.
# What cannot be done is said on standard error, in words for whoever reads the journal.
set -eu
umask 077

srv={{ srv }}
work=$(mktemp -d /tmp/vibevoice-backup.XXXXXX)
stage=
trap 'rm -rf "$work" ${stage:+"$stage"}' EXIT

refuse() {
    echo "$*" >&2
    exit 1
}

ask() { # restic's arguments: its answer on standard output, its complaints in $work/err
    restic {{ options }} "$@" 2> "$work/err"
}

explain() { # what was tried: restic's complaint as a sentence that says what to do
    last=$(grep -v '^Is there a repo' "$work/err" | grep -v '^rest:' | tail -n 3 | cut -c 1-300)
    case $(cat "$work/err") in
    *"wrong password"*)
        refuse "$1: the repository $WHERE is encrypted with another password. Correct password below" \
            "[backup] in the secrets; nothing was changed." ;;
    *"401 Unauthorized"* | *"403 Forbidden"* | *[Aa]"ccess "[Dd]"enied"* | *"AccessDenied"* | *"Permission denied (pub"*)
        refuse "$1: $WHERE does not let us in: $last." "Correct the secrets of backup.env, or backup.ssh_key." ;;
    *[Nn]"o space left"* | *"uota exceeded"* | *"507 Insufficient"*)
        refuse "$1: the disk is full, here (df -h) or at $WHERE: $last" ;;
    *"already locked"*)
        refuse "$1: somebody else has been at work in $WHERE for minutes: $(grep locked "$work/err" | head -n 1)." \
            "Wait for them; what a dead host left is freed after half an hour." ;;
    *)
        if missing; then
            refuse "$1: there is no backup at $WHERE. If there should be one, correct backup.repository." \
                "The first backup makes it (ops/backup.py)."
        fi
        refuse "$1: $WHERE cannot be reached or used: $last" ;;
    esac
}

missing() { # whether restic complained of a repository that does not exist
    grep -Eqi 'repository does not exist|config.*(does not exist|no such file)' "$work/err"
}

patiently() { # restic's arguments: waits for whoever has locked the repository, ten minutes at most
    for try in $(seq 40); do
        if ask "$@" > "$work/out"; then
            cat "$work/out"
            return 0
        fi
        grep -q 'already locked' "$work/err" || return 1
        # Frees only what a run that is dead has left.
        restic {{ options }} unlock > /dev/null 2>&1 || true
        sleep 15
    done
    return 1
}

{% if folder %}
off_host() { # a folder as repository is a disk from elsewhere: one of this host would burn with it
    there={{ folder }}
    until [ -e "$there" ]; do there=$(dirname "$there"); done
    here=$srv
    until [ -e "$here" ]; do here=$(dirname "$here"); done
    [ "$(stat -c %d "$there")" != "$(stat -c %d "$here")" ] ||
        refuse "$WHERE is on this host's own disk, and would be lost with it. Mount a disk from elsewhere" \
            "there, or name another repository."
}

{% endif %}
open() { # create: where there is none yet, it is made
{% if folder %}
    off_host
{% endif %}
    # Left alone, restic asks for a quarter of an hour.
    if timeout 45 restic {{ options }} cat config > /dev/null 2> "$work/err"; then
        return
    fi
    [ -s "$work/err" ] || echo "no answer within 45 s" > "$work/err"
    if [ "${1:-}" = create ] && missing; then
        ask init > /dev/null || explain "Making the repository"
        echo "Made the repository $WHERE." >&2
        return
    fi
    explain "Opening the repository"
}

database() { # from, to: a database as it is at one moment, whoever writes to it
    # Read-only, so that nothing is folded beside those who write; they wait for nothing.
    sqlite3 -readonly "$1" "PRAGMA busy_timeout = 10000; VACUUM INTO '$2'" > /dev/null ||
        refuse "$1 cannot be copied. Is the disk full (df -h), or the file damaged?"
    chown --reference="$1" "$2"
    chmod --reference="$1" "$2"
}

new_stage() { # folder
    stage=$1
    rm -rf "$stage"
    mkdir -p "$stage"
}

stage_gateway() {
    [ -d $srv/door ] || refuse "There is no $srv/door here: nothing to back up. Deploy first."
    new_stage $srv/backup/gateway
    # Traefik writes the file in place: whole is what is the same twice.
    [ ! -d $srv/certs ] || cp -a $srv/certs "$stage/"
    for try in $(seq 50); do
        [ -e $srv/certs/acme.json ] || break
        cmp -s $srv/certs/acme.json "$stage/certs/acme.json" && [ "$try" -gt 1 ] && break
        [ "$try" -lt 50 ] || refuse "$srv/certs/acme.json changes all the time. Look at docker logs vv-traefik."
        cp -p $srv/certs/acme.json "$stage/certs/"
        sleep 0.1
    done
    cp -a $srv/door "$stage/"
    rm -f "$stage"/door/*.db "$stage"/door/*.db-* "$stage/door/lock"
    for file in $srv/door/*.db; do
        [ ! -e "$file" ] || database "$file" "$stage/door/${file##*/}"
    done
    [ ! -e $srv/versions.jsonl ] || cp -p $srv/versions.jsonl "$stage/"
    stage_image_names
}

# Which image has which name: kilobytes, by which the studios' image is known on a gateway that does not have
# its layers. The images themselves are no part of a backup.
stage_image_names() {
    manifests=docker/registry/v2/repositories/vibevoice/_manifests
    [ -d "$srv/registry/$manifests" ] || return 0
    mkdir -p "$stage/registry/${manifests%/*}"
    cp -a "$srv/registry/$manifests" "$stage/registry/${manifests%/*}/"
    for revision in "$srv/registry/$manifests"/revisions/sha256/*; do
        digest=${revision##*/}
        blob=docker/registry/v2/blobs/sha256/$(printf %.2s "$digest")/$digest
        [ -e "$srv/registry/$blob/data" ] || continue
        mkdir -p "$stage/registry/$blob"
        cp -p "$srv/registry/$blob/data" "$stage/registry/$blob/"
    done
}

stage_project() { # project
    live=$srv/projects/$1
    [ -e "$live/jobs.db" ] || refuse "There is no $live/jobs.db here: $1 has no jobs on this host."
    new_stage "$srv/projects/.backup/$1"
    # First what is known, then the sound that it names. Sound only grows, so what is known of is all there,
    database "$live/jobs.db" "$stage/jobs.db"
    [ ! -e "$live/usage.db" ] || database "$live/usage.db" "$stage/usage.db"
    # held by links, which take no room and no time,
    cp -al "$live/jobs" "$live/voices" "$stage/" 2> "$work/err" ||
        ! grep -qv 'No such file or directory' "$work/err" || refuse "$(head -n 3 "$work/err")"
    # unless somebody deleted a job or a voice meanwhile: they are deleted here, too.
    sqlite3 "$stage/jobs.db" "
        PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000;
        ATTACH 'file:$live/jobs.db?mode=ro' AS live;
        DELETE FROM jobs WHERE number NOT IN (SELECT number FROM live.jobs);
        DELETE FROM voices WHERE id NOT IN (SELECT id FROM live.voices);" > /dev/null ||
        refuse "$live/jobs.db cannot be read. Is the disk full (df -h), or the file damaged?"
    # Encoded sound is made again when it is asked for.
    find "$stage/jobs" -type f ! -name '*.pcm' ! -name '*.state' -delete
}

tags() { # kind
    case $1 in
    gateway) echo "site={{ site }},gateway" ;;
    *) echo "site={{ site }},project=$1" ;;
    esac
}

field() { # name, of the summary
    sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p" "$work/summary"
}

save() { # kind
    exec 9> {{ run }}/vibevoice-backup.lock
    flock -w 1800 9 || refuse "Another backup has been running on this host for half an hour. Look at ps and df -h."
    case $1 in
    gateway) stage_gateway ;;
    *) stage_project "$1" ;;
    esac
    cd "$stage"
    # The folder is new each time: by its change time restic would take each file of it for changed.
    patiently backup --json --ignore-ctime --host {{ host }} --tag "$(tags "$1")" . > "$work/said" ||
        explain "Backing up $1"
    cd /
    rm -rf "$stage"
    grep '"message_type":"summary"' "$work/said" > "$work/summary"
{% if keep %}
    # Those of the last two days stay, however many they are.
    patiently forget --quiet --prune --tag "$(tags "$1")" --group-by tags --keep-within 2d {{ keep }} > /dev/null ||
        explain "The backup $(field snapshot_id | cut -c 1-8) of $1 is made, but old ones could not be forgotten"
{% endif %}
    echo "Backed up $1: snapshot $(field snapshot_id | cut -c 1-8), $(field total_files_processed) files," \
        "$(field total_bytes_processed) bytes, of which $(field data_added) are new." >&2
    cat "$work/summary"
}

fetch() { # snapshot, folder
    ask stats --json --mode restore-size "$1" > "$work/summary" || explain "Looking at snapshot $1"
    size=$(field total_size)
    mkdir -p "${2%/*}"
    free=$(df --output=avail --block-size=1 "${2%/*}" | tail -n 1)
    # A little more than it takes, for those who go on writing meanwhile.
    [ "$free" -gt $((size + size / 20 + {{ spare_bytes }})) ] ||
        refuse "Snapshot $1 has $((size / 1048576)) MiB, and ${2%/*} has $((free / 1048576)) MiB free, too little." \
            "Make room (df -h ${2%/*}); nothing was changed."
    rm -rf "$2"
    mkdir "$2"
    ask restore "$1" --target "$2" > /dev/null || { rm -rf "$2"; explain "Fetching snapshot $1"; }
}

about() { # kind: its repository and password
    [ -e {{ etc }}/"$1".env ] || refuse "This host makes no backups of $1: {{ etc }}/$1.env is missing. Deploy."
    . {{ etc }}/"$1".env
}

case $1 in
list)
    about "$2"
    open
    ask snapshots --json --tag "$(tags "$2")" || explain "Listing snapshots"
    ;;
fetch)
    about "$2"
    fetch "$3" "$4"
    ;;
save)
    about "$2"
    open create
    save "$2"
    ;;
night)
    shift
    failed=
    for kind in "$@"; do
        "$0" save "$kind" > /dev/null || failed="$failed $kind"
    done
    [ -z "$failed" ] || refuse "Not backed up:$failed."
    ;;
*) refuse "backup: $1 is nothing it does." ;;
esac
