# Puts a snapshot of the gateway in its place: everything is fetched and looked at before anything is touched.
set -eu
umask 022
srv={{ srv }} new={{ srv }}/.restore old={{ srv }}/.before-restore

refuse() {
    rm -rf "$new"
    echo "$*" >&2
    exit 1
}

if [ -s $srv/certs/acme.json ] || [ -e $srv/door/door.db ]; then
    [ {{ overwrite }} = 1 ] || refuse "This gateway has certificates or logins of its own, since" \
        "$(stat -c %y $srv/door/secret $srv/certs/acme.json 2> /dev/null | head -n 1 | cut -c 1-16)." \
        "If snapshot {{ snapshot }} is to take their place, run again with --data overwrite=1; nothing was changed."
fi

mkdir -p $srv
{{ backup }} fetch gateway {{ snapshot }} "$new" || exit 1
[ -s "$new/door/secret" ] || refuse "Snapshot {{ snapshot }} has no door/secret, so it is none of a gateway; nothing was changed."
for file in "$new"/door/*.db; do
    [ "$(sqlite3 -readonly "$file" 'PRAGMA quick_check' 2>&1)" = ok ] ||
        refuse "${file##*/} of snapshot {{ snapshot }} is damaged. Take an older one; nothing was changed."
done

# On an empty host nothing runs, nor is there Docker.
stopped=$(docker ps --format '{{ "{{.Names}}" }}' 2> /dev/null | grep -xE '{{ containers }}' || true)
trap '[ -z "$stopped" ] || docker start $stopped > /dev/null' EXIT
[ -z "$stopped" ] || docker stop $stopped > /dev/null
rm -rf "$old"
mkdir -m 700 "$old"
for part in certs door versions.jsonl; do
    [ ! -e "$srv/$part" ] || mv "$srv/$part" "$old/"
    [ ! -e "$new/$part" ] || mv "$new/$part" $srv/
done
# Names of images that this registry does not know: those it knows are as good, and their layers are there.
if [ -d "$new/registry" ]; then
    install -d -m 750 $srv/registry
    cp -a --no-clobber "$new/registry/." $srv/registry/
fi
rm -rf "$new"
rmdir "$old" 2> /dev/null || echo "What was here before lies in $old; delete it once you are sure." >&2
