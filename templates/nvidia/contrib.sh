# NVIDIA's packages for Debian depend on a few of contrib: add that component of the archives in use.
set -e
file=/etc/apt/sources.list.d/vibevoice-contrib.sources
. /etc/os-release
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(SIGNED_BY)' 'Created-By: Packages' 'Component: main' |
    sort -u | while read -r uri release key; do
        case $release in "$VERSION_CODENAME" | "$VERSION_CODENAME"-updates | "$VERSION_CODENAME"-security) ;; *) continue ;; esac
        # apt leaves the word as it is where the source names no key.
        case $key in '$'*) key= ;; esac
        printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: contrib\n' "$uri" "$release"
        [ -z "$key" ] || printf 'Signed-By: %s\n' "$key"
        echo
    done > "$file.new"
mv "$file.new" "$file"
