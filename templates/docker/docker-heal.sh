#!/bin/sh
# Starts again, at boot, those containers of the site that would stay down.
#
# Docker tries each container once when it comes up. One whose GPU was not listed yet, or whose address was
# missing, keeps the error in .State.Error and is never tried again. A container that somebody stopped has no
# such error and is left alone; so are all studios while the node is drained.
drained=/srv/vibevoice/drained
# Studios that were told to save their jobs before a reboot: stopped, but not by somebody who wants them to stay so.
reboot=/srv/vibevoice/start-at-boot

failed() {
    docker ps -aq --filter label=vibevoice.site --filter status=exited --filter status=created |
        xargs -r docker inspect --format \
            '{{if .State.Error}}{{.Name}} {{index .Config.Labels "vibevoice.project"}}{{end}}' |
        while read -r name project; do
            [ -n "$name" ] || continue
            [ -n "$project" ] && [ -e "$drained" ] && continue
            echo "${name#/}"
        done
}

if [ -e "$reboot" ]; then
    # One that cannot be started yet has an error now, and its turn below.
    [ -e "$drained" ] || while read -r container; do docker start "$container"; done < "$reboot"
    rm -f "$reboot"
fi

for attempt in 1 2 3 4 5 6; do
    containers=$(failed)
    [ -z "$containers" ] && exit 0
    for container in $containers; do
        echo "attempt $attempt: starting $container: $(docker inspect --format '{{.State.Error}}' "$container")"
        docker start "$container"
    done
    sleep 5
done
[ -z "$(failed)" ]
