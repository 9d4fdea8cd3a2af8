#!/bin/sh
# What nobody else on a GPU host looks after:
# - a studio whose web process stands still. Docker calls it unhealthy and never restarts it for that. A host that is
#   short of CPU may be what is too slow, and a start more would only make it slower: so it is asked once more here;
# - a studio whose GPU is gone. Its engine dies again and again, and Docker starts the container for ever; where
#   the container cannot even start, Docker never tries again, not even once the GPU is back;
# - a disk so full that jobs wait.
# The last two are alarms: a file each in $ALARMS, for ops/status.py, and a line of priority alert in the journal.
# They go as they came.
#
# RESERVE: bytes of disk below which studios let jobs wait. PORT: where studios answer. ONCE: looks, for tests.
ALARMS=${ALARMS:-/srv/vibevoice/alarms}
PROJECTS=${PROJECTS:-/srv/vibevoice/projects}
DRAINED=${DRAINED:-/srv/vibevoice/drained}
RESERVE=${RESERVE:?} PORT=${PORT:?}
LOOK_S=5
ANSWER_WITHIN_S=10
# Asking the driver and the disk costs more than asking Docker.
SLOW_LOOKS=3

say() { echo "$*"; }

quoted() { printf '%s' "$1" | tr '\n\t' '  ' | sed 's/[\\"]/\\&/g'; }

raise() { # name, what, what to do
    [ ! -e "$ALARMS/$1" ] || return 0
    mkdir -p "$ALARMS"
    printf '{"since": %s, "what": "%s", "do": "%s"}\n' "$(date +%s)" "$(quoted "$2")" "$(quoted "$3")" >"$ALARMS/.$1"
    mv -f "$ALARMS/.$1" "$ALARMS/$1"
    logger -t vibevoice-watch -p daemon.alert "$2 $3"
}

settle() { # name
    [ -e "$ALARMS/$1" ] || return 0
    rm -f "$ALARMS/$1"
    logger -t vibevoice-watch -p daemon.notice "alarm $1 is over"
}

# One line for each studio: name, state, health, project and slot, GPU's UUID, address while it runs. Not for one
# that Docker is to start no more: another has taken its place, and it passes on what others still wait for.
studios() {
    docker ps -aq --filter label=vibevoice.project | xargs -r docker inspect --format \
        '{{.HostConfig.RestartPolicy.Name}} {{.Name}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{index .Config.Labels "vibevoice.project"}}/{{index .Config.Labels "vibevoice.slot"}} {{range .HostConfig.DeviceRequests}}{{range .DeviceIDs}}{{.}}{{end}}{{end}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' |
        sed '/^no /d; s,^[^/]*/,,; s,nvidia.com/gpu=,,'
}

# Two that run on one slot hand it over to each other: a rollout, which looks after them itself.
is_rolled() { # project/slot
    [ "$(echo "$found" | awk -v slot="$1" '$2 == "running" && $4 == slot' | wc -l)" -gt 1 ]
}

exchange_hung() {
    echo "$found" | while read -r name state health slot uuid address; do
        [ "$state $health" = "running unhealthy" ] || continue
        ! is_rolled "$slot" || continue
        ! curl -fs -o /dev/null --max-time $ANSWER_WITHIN_S "http://$address:$PORT/health/live" || continue
        say "$name does not answer its health check; its last answers:" \
            "$(docker inspect --format '{{range .State.Health.Log}}{{.ExitCode}} {{end}}' "$name"). Restarting it"
        # It does not listen, so it gets no time to.
        docker restart -t 1 "$name" >/dev/null
    done
}

# Which GPUs answer: a list of UUIDs. Fails where the driver as a whole does not, which tells nothing of a GPU.
gpus() {
    answer=$(timeout 20 nvidia-smi --query-gpu=uuid --format=csv,noheader 2>&1)
    case $? in
    0) echo "$answer" ;;
    6) echo ;;
    *)
        # With one GPU lost, nvidia-smi may fail for all: ask one by one.
        alone=$(for uuid in $1; do timeout 20 nvidia-smi -i "$uuid" --query-gpu=uuid --format=csv,noheader 2>/dev/null; done)
        case $alone in *GPU-*) echo "$alone" ;; *) echo "$answer"; return 1 ;; esac ;;
    esac
}

watch_gpus() {
    held=$(echo "$found" | awk '{ print $5 }' | sort -u)
    if ! seen=$(gpus "$held"); then
        raise driver "nvidia-smi fails: $seen." "See dmesg | grep -i nvrm; reboot the host if the driver was changed."
        return
    fi
    settle driver
    for uuid in $held; do
        case " $(echo "$seen" | tr '\n' ' ') " in
        *" $uuid "*) returned "$uuid" ;;
        # Once more before anything is done: a driver that is being reset answers again in a moment.
        *) case " $missing " in *" $uuid "*) gone "$uuid" ;; *) again="$again $uuid" ;; esac ;;
        esac
    done
    missing=$again
    again=
}

gone() { # uuid
    again="$again $1"
    echo "$found" | while read -r name state health slot uuid address; do
        [ "$uuid" = "$1" ] || continue
        raise "gpu-$1" "$1 is gone, the GPU of $name." \
            "Its jobs go on at the project's other GPUs, or wait. See dmesg | grep -i xid; reseat or replace the card. The studio starts by itself once nvidia-smi lists it."
        [ "$state" != exited ] && [ "$state" != created ] && ! is_rolled "$slot" || continue
        say "$name has no GPU any more: stopping it, its jobs are handed over"
        docker stop "$name" >/dev/null
    done
}

returned() { # uuid
    [ -e "$ALARMS/gpu-$1" ] || return 0
    echo "$found" | while read -r name state health slot uuid address; do
        [ "$uuid" = "$1" ] || continue
        case $state in exited | created) ;; *) continue ;; esac
        say "$1 is back: starting $name"
        docker start "$name" >/dev/null 2>&1 && continue
        # What containers may ask for was written down while it was away.
        systemctl restart nvidia-cdi-refresh.service
        docker start "$name" >/dev/null || exit 1
    done && settle "gpu-$1"
}

watch_disks() {
    for folder in "$PROJECTS"/*/; do
        [ -d "$folder" ] || continue
        project=$(basename "$folder")
        left=$(df --output=avail -B1 "$folder" | tail -n 1)
        if [ "$left" -lt "$RESERVE" ]; then
            raise "disk-$project" "$folder has $((left / 1048576)) MiB left: jobs of $project wait." \
                "Make room there, or lower studio.disk_reserve; they go on by themselves."
        else
            settle "disk-$project"
        fi
    done
}

missing= again= looks=0
while :; do
    # A drained host is in somebody's hands.
    if [ ! -e "$DRAINED" ] && found=$(studios); then
        exchange_hung
        if [ $((looks % SLOW_LOOKS)) = 0 ]; then
            watch_gpus
            watch_disks
        fi
    fi
    looks=$((looks + 1))
    [ "$looks" != "${ONCE:-}" ] || exit 0
    [ -n "${ONCE:-}" ] || sleep $LOOK_S
done
