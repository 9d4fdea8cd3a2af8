# Reads what a deploy depends on and prints it, one "key value" a line; keys may repeat. Changes nothing.
# Arguments: package repositories that this host will need, as URLs of files that must be readable.
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
say() { printf '%s %s\n' "$1" "$2"; }

say clock "$(date +%s.%N)"
say uid "$(id -u)"

. /etc/os-release
say os "$ID $VERSION_ID"
say arch "$(dpkg --print-architecture 2>/dev/null)"
say kernel "$(uname -r)"
say container "$(systemd-detect-virt --container 2>/dev/null || true)"
[ -d /run/systemd/system ] && say systemd yes
say memory "$(awk '/^MemTotal/ {print $2 * 1024}' /proc/meminfo)"

# Free bytes and file system of each folder that grows, or of its nearest parent that exists.
for folder in / /var/lib/docker /srv; do
    there=$folder
    while [ ! -d "$there" ]; do there=$(dirname "$there"); done
    say disk "$folder $(df -P -B1 "$there" | awk 'NR == 2 {print $4, $1}')"
done
for weights in /srv/vibevoice/weights/*/*; do [ -d "$weights" ] && say weights "${weights#/srv/vibevoice/weights/}"; done
for store in /srv/vibevoice/projects/*/jobs.db; do
    [ -e "$store" ] && store=${store%/jobs.db} && say store "${store##*/}"
done
command -v dockerd >/dev/null && say docker "$(dockerd --version | sed 's/,.*//; s/.* //')"
command -v docker >/dev/null && docker image ls -q 2>/dev/null | grep -q . && say images yes

# Listening sockets with the program that holds them; the kernel's own (WireGuard) have none.
if command -v ss >/dev/null; then
    ss -Hlntup 2>/dev/null | awk '{
        owner = "-"; if (match($0, /users:\(\("[^"]+/)) owner = substr($0, RSTART + 9, RLENGTH - 9)
        print "listen", $1, $5, owner }'
else
    say blind "ports: ss is missing (package iproute2)"
fi

if command -v apt-cache >/dev/null; then
    # A module that is built for this kernel needs no more headers. New machines come without package lists:
    # read them into a folder of our own then.
    if modinfo -F version nvidia >/dev/null 2>&1 || [ -d "/lib/modules/$(uname -r)/build" ]; then
        say headers installed
    elif [ "$GPU" = yes ]; then
        lists=$(mktemp -d)
        if ! ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1; then
            timeout 60 apt-get -q update -o Dir::State::lists="$lists" -o Dir::Cache="$lists" >/dev/null 2>&1
            set_lists="-o Dir::State::lists=$lists -o Dir::Cache=$lists"
        fi
        apt-cache ${set_lists:-} show "linux-headers-$(uname -r)" >/dev/null 2>&1 && say headers obtainable
        rm -rf "$lists"
    fi
    packages=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'nvidia-*' 'libnvidia-*' 'libcuda1*' 'cuda-*' \
        'linux-modules-nvidia-*' 2>/dev/null | sed -n 's/^installed //p')
    # Where each installed version comes from: the lines below "***" in apt's table.
    [ -n "$packages" ] && apt-cache policy $packages 2>/dev/null | awk '
        /^[^ ]/ { package = $1; sub(/:$/, "", package); on = 0 }
        /^ \*\*\* / { on = 1; next }
        on && /^     [^ ]/ { on = 0 }
        on && /^ +[0-9-]+ [^ ]/ { print "nvidia_package", package, $2 }'
    for index in $(apt-get indextargets --format '$(REPO_URI)dists/$(RELEASE)/InRelease' 'Created-By: Packages' |
        grep '^http' | sort -u | head -3); do set -- "$index" "$@"; done
fi
command -v nvidia-uninstall >/dev/null && say nvidia_runfile yes

# Only where something is still to be installed: a repository that is down must not stop a run that needs nothing.
if ! command -v dockerd >/dev/null || { [ "$GPU" = yes ] && ! command -v nvidia-ctk >/dev/null; }; then
    scratch=$(mktemp -d) number=0
    for url in "$@"; do
        number=$((number + 1)) file=$scratch/$number
        name=${url#*://}; name=${name%%/*}; name=${name%%:*}
        if ! getent hosts "$name" >/dev/null && [ -z "$(apt-config dump 2>/dev/null | grep -i '^Acquire::http.*Proxy ')" ]; then
            say unresolved "$name $url"
        elif [ -x /usr/lib/apt/apt-helper ]; then
            timeout 20 /usr/lib/apt/apt-helper -o Acquire::Retries=1 -o Acquire::http::Timeout=8 \
                download-file "$url" "$file" >/dev/null 2>"$file.error" ||
                say unreachable "$url $(tr '\n' ' ' < "$file.error" | cut -c 1-200)"
        fi &
    done
    wait
    rm -rf "$scratch"
fi

# The fifth byte of the variable is 1 where Secure Boot is on; mokutil may not be installed.
boot=$(od -An -tu1 -j4 -N1 /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c 2>/dev/null)
[ "${boot##* }" = 1 ] && say secure_boot on
if command -v mokutil >/dev/null && [ -f /var/lib/dkms/mok.pub ]; then
    mokutil --test-key /var/lib/dkms/mok.pub 2>/dev/null | grep -q 'already enrolled' && say module_key enrolled
fi
true
