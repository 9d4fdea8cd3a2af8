# How studios are asked. `undo` is what whoever waits does before it gives up.
now() { date +%s; }

state() { # container: status, restarts, health, address
    docker inspect --format '{{ "{{.State.Status}} {{.RestartCount}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}" }}' "$1"
}

give_up() { # container, reason
    echo "$1 $2; its last lines:" >&2
    docker logs --tail 20 "$1" >&2 2>&1
    undo
    exit 1
}

ask() { # container: sets address and answer; succeeds if it is healthy and takes jobs
    found=$(state "$1") || give_up "$1" "is gone"
    set -- "$1" $found
    address=$5
    # Docker starts what cannot start again and again.
    [ "$3" -lt "$most_restarts" ] || give_up "$1" "has ended and was started again ($3 times)"
    case $2 in exited | dead) give_up "$1" "has ended" ;; esac
    [ "$4" = healthy ] || return 1
    answer=$(curl -s --max-time 5 "http://$address:{{ port }}/health/ready")
    case $answer in
    *'"engine":"failed"'*) give_up "$1" "has an engine that failed" ;;
    *'"state":"ready"'*) return 0 ;;
    *) return 1 ;;
    esac
}

engine_is() { # word, one of them: as the answer has it
    for engine in "$@"; do
        case $answer in *"\"engine\":\"$engine\""*) return 0 ;; esac
    done
    return 1
}

# A studio takes jobs while its model loads, so being ready proves no model.
speaks() { ask "$1" && engine_is ready asleep; }
stands() { ask "$1" && engine_is ready asleep waiting; }

routed() { # container
    case $(curl -fs --max-time 5 "http://127.0.0.1:8082/api/http/services?per_page=1000") in
    *"\"http://$address:{{ port }}\":\"UP\""*) return 0 ;;
    *) return 1 ;;
    esac
}

within() { # seconds, reason, test…: waits until the test succeeds; gives its last argument up if it does not
    limit=$1 reason=$2
    shift 2
    deadline=$(($(now) + limit))
    for container in "$@"; do :; done
    until "$@"; do
        [ "$(now)" -lt "$deadline" ] || give_up "$container" "$reason"
        sleep 0.2
    done
}
