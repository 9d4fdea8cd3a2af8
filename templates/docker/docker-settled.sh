#!/bin/sh
# Shows Docker to the node's Traefik (by way of the filter) once Docker knows how its containers are.
#
# A restart of dockerd leaves the containers running, but it forgets that they are healthy, and asks them again at
# their usual interval, seconds later. Traefik drops a container that is not healthy: all of them at once, and people
# get 404. While it cannot reach Docker it keeps what it knew. Containers that Docker has only just started, as at
# boot, are not waited for.
SOCKET=${SOCKET:-/run/vibevoice/docker.sock}
LIMIT_S=30

pid=${MAINPID:-$(systemctl show --property=MainPID --value docker.service)}
began=$(date -u -d "$(ps -o lstart= -p "$pid")" +%Y-%m-%dT%H:%M:%S)

unsure() {
    docker ps -q --filter label=vibevoice.project --filter health=starting |
        xargs -r docker inspect --format '{{.State.StartedAt}}' | awk -v began="$began" '$0 < began' | grep -q .
}

end=$(($(date +%s) + LIMIT_S))
while unsure && [ "$(date +%s)" -lt $end ]; do sleep 0.3; done
mkdir -p "$(dirname "$SOCKET")"
# Relative: the filter has the host's /run in another place.
ln -sfn ../docker.sock "$SOCKET"
