#!/bin/sh
# Starts again those containers of the site that Docker failed to start.
#
# Docker tries each container once when it comes up. One whose GPU was not listed yet, or whose address was
# missing, keeps the error in .State.Error and is never tried again. A container that somebody stopped has no
# such error and is left alone.
failed() {
    docker ps -aq --filter label=vibevoice.site --filter status=exited --filter status=created |
        xargs -r docker inspect --format '{{if .State.Error}}{{.Name}}{{end}}' | grep . | sed 's,^/,,'
}

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
