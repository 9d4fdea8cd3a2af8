# Prints the last log lines of containers, each behind its container's name. Changes nothing.
export LC_ALL=C.UTF-8
containers=$(docker ps --all --format '{{ "{{.Names}}" }}' {{ filters }} | sort -u)
for container in $containers; do
    # Docker's own time before each line; a line longer than any of ours is cut.
    timeout 8 docker logs --timestamps {{ since }} {{ tail }} "$container" 2>&1 </dev/null |
        {{ pick }} tail -n {{ lines }} | cut -c -{{ width }} | sed "s/^/$container /"
done
true
