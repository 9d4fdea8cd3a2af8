# Waits until each container is ready, its model is loaded, and the node proxy sends requests to it.
now() { date +%s; }

state() { # container: status, restarts, health, address
    docker inspect --format '{{ "{{.State.Status}} {{.RestartCount}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}" }}' "$1"
}

give_up() { # container, reason
    echo "$1 $2; its last lines:" >&2
    docker logs --tail 20 "$1" >&2 2>&1
    exit 1
}

ready() { # container: sets address; succeeds once the studio there is ready and its engine can speak
    found=$(state "$1") || give_up "$1" "is gone"
    set -- "$1" $found
    address=$5
    # Docker starts what cannot start again and again.
    [ "$3" -lt 3 ] || give_up "$1" "ended $3 times"
    case $2 in exited | dead) give_up "$1" "has ended" ;; esac
    [ "$4" = healthy ] || return 1
    answer=$(curl -s --max-time 5 "http://$address:{{ port }}/health/ready")
    # A studio takes jobs while its model loads, so being ready proves no model.
    case $answer in
    *'"engine":"failed"'*) give_up "$1" "has an engine that failed" ;;
    *'"state":"ready"'*'"engine":"ready"'* | *'"state":"ready"'*'"engine":"waiting"'*) return 0 ;;
    *'"state":"ready"'*'"engine":"asleep"'*) return 0 ;;
    *) return 1 ;;
    esac
}

routed() { # address
    case $(curl -fs --max-time 5 "http://127.0.0.1:8082/api/http/services?per_page=1000") in
    *"\"http://$1:{{ port }}\":\"UP\""*) return 0 ;;
    *) return 1 ;;
    esac
}

deadline=$(($(now) + {{ seconds }}))
for container in {{ containers }}; do
    until ready "$container"; do
        [ "$(now)" -lt "$deadline" ] || give_up "$container" "is not ready after {{ seconds }} s"
        sleep 0.3
    done
    routed_by=$(($(now) + {{ routed_seconds }}))
    until routed "$address"; do
        [ "$(now)" -lt "$routed_by" ] ||
            give_up "$container" "is ready, but Traefik does not send requests to it (docker logs vv-node-proxy)"
        sleep 0.2
    done
done
