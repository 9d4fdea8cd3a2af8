# Takes the site's lock, says so, and holds it for as long as standard input stays open: that is the channel of
# the run which asked. The lock is the kernel's (flock), so it is free once this process is gone, however it went.
lock={{ path }}
umask 022
mkdir -p "${lock%/*}" || exit 1
exec 9<>"$lock" || exit 1

# Ends the holder with all that it started.
end_holder() {
    holder=$(sed -n 's/.*"holder": *\([0-9][0-9]*\).*/\1/p' "$lock")
    group=$(cut -d ' ' -f 5 "/proc/$holder/stat" 2>/dev/null)
    [ -n "$group" ] || return 1
    kill -s TERM -- "-$group" 2>/dev/null
    flock -w 5 9 && return 0
    kill -s KILL -- "-$group" 2>/dev/null
    flock -w 5 9
}

# A reader of the lock, or a holder who is just leaving, is no reason to refuse.
if ! flock -w 2 9; then
{% if force %}
    if ! end_holder; then
        echo held
        cat "$lock"
        exit 0
    fi
{% else %}
    echo held
    cat "$lock"
    exit 0
{% endif %}
fi
trap ': > "$lock"' EXIT
trap 'exit 0' HUP INT TERM
rm -f "$lock.guard"
printf '%s, "holder": %d}\n' {{ start }} $$ > "$lock"
echo ours
# Not in the hands of the child: it could outlive this shell, and the lock with it.
cat > /dev/null 9>&-
