# Puts a snapshot of a project's jobs in their place: everything is fetched and looked at before studios stop.
set -eu
umask 022
project={{ project }}
live={{ srv }}/projects/$project new={{ srv }}/projects/.restore/$project
old={{ srv }}/projects/.before-restore/$project

refuse() {
    rm -rf "$new"
    echo "$*" >&2
    exit 1
}

count() { # database, what
    sqlite3 -readonly "$1" "PRAGMA busy_timeout = 10000; SELECT count(*) FROM $2" | tail -n 1
}

if [ -e "$live/jobs.db" ] && [ {{ overwrite }} != 1 ]; then
    jobs=$(count "$live/jobs.db" jobs) voices=$(count "$live/jobs.db" 'voices WHERE deleted IS NULL')
    [ "$jobs$voices" = 00 ] || refuse "$project has $jobs jobs and $voices voices here. If those of snapshot" \
        "{{ snapshot }} are to take their place, run again with --data overwrite=1; nothing was changed."
fi

{{ backup }} fetch $project {{ snapshot }} "$new" || exit 1
[ -e "$new/jobs.db" ] || refuse "Snapshot {{ snapshot }} has no jobs.db, so it is none of a project; nothing was changed."
for file in "$new"/*.db; do
    [ "$(sqlite3 "$file" 'PRAGMA quick_check' 2>&1)" = ok ] ||
        refuse "${file##*/} of snapshot {{ snapshot }} is damaged. Take an older one; nothing was changed."
done

# What was being spoken waits for a runner, and goes on from its last saved frame. What was being cancelled is
# given up by whoever claims it. No number of an event that somebody was told of since comes twice.
unfinished=$(sqlite3 "$new/jobs.db" "
    PRAGMA foreign_keys = ON;
    BEGIN IMMEDIATE;
    UPDATE takes SET state = 'waiting' WHERE state = 'running';
    UPDATE jobs SET state = 'queued', runner = NULL, reason = '' WHERE state = 'running' AND NOT cancelling;
    UPDATE jobs SET lease_from = 0, lease_until = 0;
    UPDATE sqlite_sequence SET seq = seq + 1000000 WHERE name = 'events';
    COMMIT;
    SELECT count(*) FROM jobs WHERE state IN ('queued', 'running');")
jobs=$(count "$new/jobs.db" jobs) voices=$(count "$new/jobs.db" 'voices WHERE deleted IS NULL')
mkdir -p "$new/jobs" "$new/voices"
chown {{ user }} "$new" "$new/jobs" "$new/voices" "$new"/*.db
chmod 750 "$new"

studios() { # names of those that run; on a host without Docker there are none
    docker ps --filter label=vibevoice.site={{ site }} --filter "label=vibevoice.project=$project" \
        --format '{{ "{{.Names}}" }}' 2> /dev/null || true
}

running=$(studios)
# Whatever happens from here on, they speak again.
trap '[ -z "$running" ] || docker start $running > /dev/null' EXIT
[ -z "$running" ] || docker stop $running > /dev/null
# One that runs would go on in the old folder, wherever that is.
[ -z "$(studios)" ] || refuse "Somebody started $(echo $(studios)) again, so nothing was changed. Run again."
rm -rf "$old"
mkdir -p -m 700 "${old%/*}"
[ ! -e "$live" ] || mv "$live" "$old"
mv "$new" "$live"
[ -z "$running" ] || docker start $running > /dev/null
trap - EXIT

[ ! -e "$old/jobs.db" ] || echo "What was here before lies in $old; delete it once you are sure." >&2
echo "{\"jobs\": $jobs, \"voices\": $voices, \"unfinished\": $unfinished, \"studios\": \"$(echo $running)\"}"
