# Waits until each container is ready and in the node proxy's rotation.
deadline=$(($(date +%s) + {{ seconds }}))

state() { # container: status, restarts, health, address
    docker inspect --format '{{ "{{.State.Status}} {{.RestartCount}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}" }}' "$1"
}

give_up() { # container, reason
    echo "$1 $2; its last lines:" >&2
    docker logs --tail 20 "$1" >&2 2>&1
    exit 1
}

for container in {{ containers }}; do
    while :; do
        now=$(state "$container") || give_up "$container" "is gone"
        set -- $now
        # A studio that cannot start is started again and again by Docker.
        [ "$2" -lt 3 ] || give_up "$container" "ended $2 times"
        case $1 in exited | dead) give_up "$container" "has ended" ;; esac
        if [ "$3" = healthy ] && curl -fs -o /dev/null --max-time 5 "http://$4:{{ port }}/health/ready"; then
            case $(curl -fs --max-time 5 "http://127.0.0.1:8082/api/http/services?per_page=1000") in
            *"\"http://$4:{{ port }}\":\"UP\""*) break ;;
            esac
            reason="is ready, but not in Traefik's rotation (vv-node-proxy)"
        else
            reason="is not ready ($1, $3)"
        fi
        [ "$(date +%s)" -lt "$deadline" ] || give_up "$container" "$reason after {{ seconds }} s"
        sleep 0.3
    done
done
