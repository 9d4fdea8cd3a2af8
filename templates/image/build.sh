# Builds the context that comes on standard input and pushes the image. Layers stay in the builder's own
# store, so that a change of the code rebuilds kilobytes.
set -eu
reference={{ reference }}
work=$(mktemp -d /var/tmp/vibevoice-build.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/context"
base64 -d | tar -xz -C "$work/context" -f -

quietly() {
    "$@" > "$work/log" 2>&1 || { echo "$1 $2 failed; its last lines:" >&2; tail -n 30 "$work/log" >&2; exit 1; }
}

# The builder asks for a million open files and processes where nobody says less; not every host grants that.
limits() { prlimit --noheadings --raw --output SOFT,HARD "--$1" | sed 's/unlimited/-1/g; s/  */:/'; }

# Chroot isolation wants neither a runtime nor cgroups; the host's network reaches the package index.
quietly buildah bud --layers --isolation chroot --network host --ulimit "nofile=$(limits nofile)" \
    --ulimit "nproc=$(limits nproc)" {{ arguments }} -t "$reference" "$work/context"
# zstd unpacks several times faster on the nodes, where the time counts. Builders before 1.24 only know gzip.
case $(buildah push --help) in
*--compression-format*) compression="--compression-format zstd" ;;
*) compression= ;;
esac
quietly buildah push $compression --tls-verify=false "$reference"
