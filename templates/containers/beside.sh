# Puts a container into the place of the one that serves, without a moment at which nobody does: the new one starts
# beside it on the same ports (SO_REUSEPORT), is seen to serve, and only then the old one is told to end; it ends
# in the background, its open streams with it. A new one that does not serve goes, and the old one never knew.
name={{ name }}
new=$name-new
ports="{{ ports }}"

status() { docker inspect --type container --format '{% raw %}{{.State.Status}} {{.RestartCount}}{% endraw %}' "$1" 2>/dev/null; }
pid() { docker inspect --type container --format '{% raw %}{{.State.Pid}}{% endraw %}' "$1" 2>/dev/null; }
id() { docker inspect --type container --format '{% raw %}{{.Id}}{% endraw %}' "$1" 2>/dev/null | cut -c 1-12; }
listens() { ss -Htlnp "sport = :$2" | grep -q "pid=$1,"; }

# While both listen, the kernel deals out new connections to both: also to the new one before it knows a route,
# and to the old one just before it closes, with what nobody has accepted. In these two moments new connections
# wait: their first packet is dropped, and comes again after a second. The sets forget if this script dies.
hold() {
    nft -f - 2>/dev/null <<-NFT
	add table inet vibevoice_hold
	delete table inet vibevoice_hold
	table inet vibevoice_hold {
	    set outer { type inet_service; flags timeout; timeout {{ hold_s }}s; elements = { {{ outer }} }; }
	    set inner { type inet_service; flags timeout; timeout {{ hold_s }}s; {{ inner }} }
	    chain input {
	        type filter hook input priority -10;
	        iifname != "lo" tcp dport @outer tcp flags & (syn | ack) == syn drop
	        tcp dport @inner tcp flags & (syn | ack) == syn drop
	    }
	}
	NFT
}
let_in() { nft delete table inet vibevoice_hold 2>/dev/null; }
trap let_in EXIT

# Each question is asked on connections of its own, so often that the new one must have been among those asked.
ask() {
    case $1 in
{% for ask in asks %}
    {{ loop.index }}) curl -fsk --http1.1 --fail-early --max-time 5 -o /dev/null -H 'Connection: close' {{ ask }}"?[1-$2]" ;;
{% endfor %}
    esac
}

old=$(docker ps -q --no-trunc --filter "name=^/?$name\$")
before=
for question in {{ questions }}; do
    ! ask "$question" 1 || before="$before $question"
done

serves() {
    process=$(pid "$new")
    for port in $ports; do listens "$process" "$port" || return 1; done
    for question in $before; do ask "$question" {{ times }} || return 1; done
}

give_up() {
    echo "$1" >&2
    docker logs --tail 20 "$new" >&2 2>&1
    docker rm -f "$new" >/dev/null 2>&1
    {{ restore }}
{% if shares %}
    echo "$name was not replaced and goes on serving as it is." >&2
{% else %}
    # It has been asked to end, and listens again only after another start.
    docker rename "$old" "$name" && docker update --restart unless-stopped "$name" >/dev/null &&
        docker restart --time 0 "$name" >/dev/null && echo "$name was started again as it was." >&2
{% endif %}
    exit 1
}

step_aside() {
    ! docker inspect --type container "$1" >/dev/null 2>&1 || docker rename "$1" "$name-old-$(id "$1")" || exit 1
}

# Asks the ones that stepped aside to end, and returns once none of them takes new connections.
close_old() {
    ends=$(docker ps -aq --filter "name=^/?$name-old-")
    processes=$(for one in $ends; do docker update --restart no "$one" >/dev/null; pid "$one"; done | grep -vx 0)
    hold
    # What is on its way to a listener arrives, and is taken.
    sleep 0.5
    for process in $processes; do kill -s TERM "$process"; done
    for process in $processes; do
        n=0
        while ss -Htlnp | grep -q "pid=$process," && [ $n -lt 200 ]; do
            n=$((n + 1))
            sleep 0.02
        done
        end_unused "$process"
    done
}

# Traefik reads the first bytes of a connection before its server gets it, and the server of one that ends gets
# none any more: what is asked on a connection that nobody has spoken on yet, as proxies and browsers keep in
# reserve, would wait for good. Its other end is told that it is gone, and makes a new one.
end_unused() {
    ss -HtnpiO state established | grep "pid=$1," | grep -v bytes_received: | while read -r _ _ here there _; do
        case " $ports " in *" ${here##*:} "*) ss -HKtn src "$here" dst "$there" >/dev/null 2>&1 ;; esac
    done
}

# Removes them once they have ended. Their own stop timeout is that of a reboot, which waits for nobody's stream.
remove_old() {
    for one in $ends; do
        systemctl is-active --quiet "vibevoice-retire-$one" || systemd-run --quiet --collect \
            --unit "vibevoice-retire-$one" --description "Let $name finish its open requests" \
            sh -c "while docker inspect $one >/dev/null 2>&1; do docker stop --time {{ drain_s }} $one && docker rm $one || sleep 2; done"
    done
}

# What a run left behind that ended in here.
step_aside "$new"
{{ create }} >/dev/null || give_up "$new cannot be made."
hold
{% if not shares %}
# The old one does not share its ports.
step_aside "$name"
close_old
{% endif %}
docker start "$new" >/dev/null || give_up "$new does not start."
deadline=$(($(date +%s) + {{ seconds }}))
until [ "$(status "$new")" != "running 0" ] || serves; do
    [ "$(date +%s)" -lt "$deadline" ] ||
        give_up "$new runs, but in {{ seconds }} s does not serve what $name does; its last lines:"
    sleep 0.05
done
[ "$(status "$new")" = "running 0" ] || give_up "$new ended by itself; its last lines:"
{% if shares %}
let_in
step_aside "$name"
{% endif %}
docker rename "$new" "$name" || exit 1
{% if backups %}
rm -f {{ backups }}
{% endif %}
{% if shares %}
close_old
{% endif %}
remove_old
