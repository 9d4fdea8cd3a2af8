# One studio takes another's place on its GPU. Both run for a moment: the new one takes jobs and answers before
# it gets the GPU, and the old one goes only when the new one has spoken. Whatever fails, the old one goes on,
# and so do those whose turn would have come after.
{% include "studios/asking.sh" %}

old={{ old }} new={{ new }} later="{{ later }}" lent=

runs() { [ "$(docker inspect --format {{ "'{{.State.Running}}'" }} "$1" 2>/dev/null)" = true ]; }

# Not by `docker kill`: whatever the signal, Docker takes it for a stop by hand, and would start the container no
# more, neither after a crash nor at boot.
ask_to_lend() {
    pid=$(docker inspect --format {{ "'{{.State.Pid}}'" }} "$old")
    # It may have ended a moment ago, and to kill 0 would be to kill this script.
    [ "${pid:-0}" = 0 ] || kill -s USR1 "$pid"
}

undo() {
    docker rm -f "$new" $later >/dev/null
    if [ -z "$lent" ]; then
        echo "$old goes on as it was." >&2
        return
    fi
    runs "$old" || docker start "$old" >/dev/null
    undo() { :; }
    most_restarts=1000
    within {{ seconds }} "does not get its GPU back" speaks "$old"
    echo "$old has its GPU back and goes on as it was." >&2
}

# A deploy that dies must not leave this halfway: it goes on alone, to its end.
trap '' HUP PIPE
# What is new is tried with nothing at stake: it imports, answers, is found.
most_restarts=1
within {{ seconds }} "is not up after {{ seconds }} s" stands "$new"
within {{ routed_seconds }} "is up, but Traefik does not send requests to it (docker logs vv-node-proxy)" routed "$new"

# Now for the GPU. An engine that sleeps has left it already.
if runs "$old" && ! engine_is ready; then
    lent=yes
    ask_to_lend
    deaf=$(($(now) + {{ deaf_seconds }}))
    deadline=$(($(now) + {{ seconds }}))
    until speaks "$new"; do
        # It hangs, or is too old to lend anything: it is stopped, and started again if need be.
        if engine_is waiting && [ "$(now)" -gt "$deaf" ] && runs "$old"; then
            echo "$old does not lend its GPU, and is stopped." >&2
            docker stop "$old" >/dev/null
        fi
        [ "$(now)" -lt "$deadline" ] || give_up "$new" "has not spoken after {{ seconds }} s"
        sleep 0.1
    done
fi

# Its open answers get their time; nobody waits for them here. One that is to be started no more is on its way
# already, since a deploy that was cut off: told once more, it would go at once.
policy=$(docker inspect --format {{ "'{{.HostConfig.RestartPolicy.Name}}'" }} "$old")
if [ "$policy" != no ] || ! runs "$old"; then
    # Having lent its GPU it knows that another speaks for those who still wait, and that there is time.
    [ -n "$lent" ] || ask_to_lend
    docker update --restart no "$old" >/dev/null
    setsid sh -c 'docker stop -t {{ leaving_seconds }} "$0"; docker rm -f "$0"' "$old" >/dev/null 2>&1 </dev/null &
fi
