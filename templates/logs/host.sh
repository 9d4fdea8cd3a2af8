# Prints the last log lines of containers, each behind its container's name. Changes nothing.
export LC_ALL=C.UTF-8
cut_off=$(mktemp -u)
containers=$(docker ps --all --format '{{ "{{.Names}}" }}' {{ filters }} | sort -u)
for container in $containers; do
    # Docker's own time before each line; a line longer than any of ours is cut.
    {
        timeout {{ seconds }} docker logs --timestamps {{ since }} {{ tail }} "$container" 2>&1 </dev/null
        [ $? != 124 ] || : >"$cut_off"
    } | {{ pick }} tail -n {{ lines }} | cut -c -{{ width }} | sed "s/^/$container /"
    if [ -e "$cut_off" ]; then
        rm -f "$cut_off"
        printf '%s %s %s\n' "$container" "$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)" \
            '{"level": "warning", "message": "This log was not read to its end in {{ seconds }} s: say since=."}'
    fi
done
true
