# Fetches the files named on standard input ("sha256 size path" each) and checks them. The folder gets its
# name when all are there: what a studio mounts is complete.
set -eu
umask 022
final={{ folder }}
work=$final.partial
mkdir -p "$work"
# Another lock for the same revision: files that are here already are kept.
[ ! -d "$final" ] || cp -aln "$final/." "$work/"

is_right() { [ -f "$1" ] && [ "$(stat -c %s "$1")" = "$3" ] && [ "$(sha256sum < "$1")" = "$2  -" ]; }

download() { # file, path, further options of curl
    # A server that sends less than 1 kB/s for a minute is as good as gone; the next try goes on from there.
    curl -fsSL --retry 5 --retry-delay 2 --retry-all-errors --speed-limit 1000 --speed-time 60 \
        -o "$1.part" $3 -- "{{ url }}/$2"
}

while read -r sha size path; do
    file=$work/$path
    is_right "$file" "$sha" "$size" && continue
    mkdir -p "$(dirname "$file")"
    rm -f "$file"
    is_right "$file.part" "$sha" "$size" || download "$file" "$path" "-C -" < /dev/null || true
    # What was there before may have been of something else: once more, from its beginning.
    is_right "$file.part" "$sha" "$size" || { rm -f "$file.part"; download "$file" "$path" "" < /dev/null; }
    is_right "$file.part" "$sha" "$size" || {
        echo "{{ url }}/$path is not what the lock file says: sha256 $(sha256sum < "$file.part" | cut -c 1-64)," \
            "expected $sha. Write the lock anew (make weights-lock) if the hub is right." >&2
        exit 1
    }
    mv "$file.part" "$file"
done

rm -f "$work/{{ marker }}"
echo {{ lock_hash }} > "$work/{{ marker }}"
chmod -R a+rX,a-w "$work"
if [ -d "$final" ]; then mv -T "$final" "$final.old"; fi
mv -T "$work" "$final"
rm -rf "$final.old"
