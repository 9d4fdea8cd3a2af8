#!/bin/sh
# Loads the site's firewall and remembers what the kernel made of it.
#   load FILE    replace the table by that file's
#   try FILE S   the same, but the rules before return after S seconds unless `keep` comes first
#   keep         the tried rules stay, and are loaded at boot
#   restore      the rules before (the timer of `try` runs this)
set -eu
PATH=$PATH:/usr/sbin:/sbin
RULES=/etc/vibevoice/firewall.nft
STATE=/run/vibevoice/firewall
TIMER=vibevoice-firewall-restore

load() {
    nft -f "$1"
    mkdir -p "$STATE"
    nft -s list table inet vibevoice | sha256sum > "$STATE/loaded"
}

case $1 in
load) load "$2" ;;
try)
    nft -c -f "$2"
    systemctl stop "$TIMER.timer" 2>/dev/null || true
    mkdir -p "$STATE"
    echo "$2" > "$STATE/trial"
    systemd-run --quiet --collect --unit="$TIMER" --on-active="${3}s" "$0" restore
    load "$2"
    ;;
keep)
    systemctl stop "$TIMER.timer"
    mv -f "$(cat "$STATE/trial")" "$RULES"
    rm -f "$STATE/trial"
    ;;
restore)
    # Before the first rules there were none.
    if [ -e "$RULES" ]; then load "$RULES"; else nft delete table inet vibevoice; rm -f "$STATE/loaded"; fi
    rm -f "$(cat "$STATE/trial")" "$STATE/trial"
    ;;
esac
