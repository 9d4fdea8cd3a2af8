# Prints what there is to know of a host, one "key value" a line; keys may repeat. Changes nothing.
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
say() { printf '%s %s\n' "$1" "$2"; }
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT

# The driver takes a second to answer where nobody else holds it: ask first, read last.
if command -v nvidia-smi >/dev/null; then
    timeout 6 nvidia-smi --query-gpu={{ gpu_fields }} --format=csv,noheader,nounits >"$scratch/gpus" 2>&1
    echo $? >"$scratch/gpus.code"
fi &

. /etc/os-release
say release "$ID $VERSION_ID"
say kernel "$(uname -r)"
say clock "$(date +%s)"
say uptime "$(cut -d ' ' -f 1 /proc/uptime)"
say load "$(cut -d ' ' -f 1-3 /proc/loadavg)"
say cpus "$(nproc)"
for folder in /srv /var/lib/docker; do
    [ -d "$folder" ] && say disk "$folder $(df -P -B1 "$folder" | awk 'NR == 2 {print $2, $4}')"
done
[ -e /run/reboot-required ] && say reboot "$(sort -u /run/reboot-required.pkgs 2>/dev/null | tr '\n' ' ')"
[ -e {{ drained }} ] && say drained "$(tr '\n' ' ' <{{ drained }})"
for alarm in {{ alarms }}/*; do
    [ -f "$alarm" ] && say alarm "${alarm##*/} $(tr '\n' ' ' <"$alarm")"
done
held=$({{ look_at_lock }})
[ -n "$held" ] && say lock "$(echo "$held" | tr '\n' ' ')"
[ -r {{ versions }} ] && tail -n 20 {{ versions }} | sed 's/^/version /'

# Who holds a GPU holds its lock file: the kernel knows the process, its control group the container.
for file in /srv/vibevoice/gpus/*.lock; do
    [ -e "$file" ] || continue
    holder=$(awk -v inode="$(stat -c %i "$file")" '
        $2 == "FLOCK" && substr($6, length($6) - length(inode)) == ":" inode {print $5; exit}' /proc/locks)
    [ -n "$holder" ] || continue
    container=$(grep -o '[0-9a-f]\{64\}' "/proc/$holder/cgroup" 2>/dev/null | head -n 1)
    say holds "$(basename "$file" .lock) ${container:-process $holder}"
done

{% raw %}
format='{{or (index .Config.Labels "vibevoice.project") "-"}}
{{- range .NetworkSettings.Networks}} {{or .IPAddress "-"}}{{else}} -{{end}}
{{- " "}}{"id":{{json .ID}},"name":{{json .Name}},"status":{{json .State.Status}}
{{- ""}},"health":{{if .State.Health}}{{json .State.Health.Status}}{{else}}""{{end}}
{{- ""}},"restarts":{{json .RestartCount}},"exit":{{json .State.ExitCode}},"oom":{{json .State.OOMKilled}}
{{- ""}},"started":{{json .State.StartedAt}},"finished":{{json .State.FinishedAt}}
{{- ""}},"site":{{json (index .Config.Labels "vibevoice.site")}}
{{- ""}},"project":{{json (index .Config.Labels "vibevoice.project")}}
{{- ""}},"slot":{{json (index .Config.Labels "vibevoice.slot")}}
{{- ""}},"spec":{{json (index .Config.Labels "vibevoice.spec")}}
{{- ""}},"image":{{json (index .Config.Labels "vibevoice.image")}}
{{- ""}},"devices":{{json .HostConfig.DeviceRequests}}}'
{% endraw %}
if command -v docker >/dev/null; then
    if timeout 6 docker ps -aq --no-trunc --filter name=vv- >"$scratch/ids" 2>"$scratch/docker.error"; then
        [ -s "$scratch/ids" ] &&
            timeout 6 xargs docker inspect --format "$format" <"$scratch/ids" >"$scratch/containers" 2>/dev/null
    else
        say docker_error "$(tail -n 1 "$scratch/docker.error")"
    fi
else
    say docker_error "Docker is not installed"
fi

# Each studio of its own readiness, all at once: one that is stopped or stuck must not hold up the others.
[ -e "$scratch/containers" ] && while read -r project address container; do
    say container "$container"
    if [ "$project" != - ] && [ "$address" != - ]; then
        curl -s --max-time 2 -w ' %{http_code}' "http://$address:{{ port }}/health/ready" \
            >"$scratch/ready.$address" 2>/dev/null &
        echo "$container" >"$scratch/name.$address"
    fi
done <"$scratch/containers"
wait
for file in "$scratch"/ready.*; do
    [ -e "$file" ] || continue
    id=$(sed 's/.*"id":"\([0-9a-f]*\)".*/\1/' "$scratch/name.${file##*/ready.}")
    say ready "$id $(tr '\n' ' ' <"$file")"
done

if [ -e "$scratch/gpus.code" ]; then
    if [ "$(cat "$scratch/gpus.code")" = 0 ]; then
        sed 's/^/gpu /' "$scratch/gpus"
    else
        say gpu_error "$(head -n 1 "$scratch/gpus")"
    fi
fi
true
