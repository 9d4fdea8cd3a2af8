# Starts studios beside those whose place they are to take. They answer and take jobs; the GPUs they wait for.
new="{{ studios | join(' ') }}"

undo() {
    docker rm -f $new >/dev/null 2>&1
    exit 1
}

trap '' HUP PIPE
{% for name, make in studios.items() %}
# Only one that has never failed may stand here already, from a deploy that was cut off.
restarts=$(docker inspect --type container --format {{ "'{{.RestartCount}}'" }} {{ name }} 2>/dev/null)
[ "$restarts" = 0 ] || { docker rm -f {{ name }} >/dev/null 2>&1; {{ make }} >/dev/null || undo; }
docker start {{ name }} >/dev/null || undo
{% endfor %}
