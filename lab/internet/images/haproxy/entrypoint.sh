#!/bin/sh
set -e
case "${1:-}" in -*) set -- haproxy "$@" ;; esac
# Master-worker mode, in the foreground, as the official image adds it.
if [ "$1" = haproxy ]; then
    shift
    set -- haproxy -W -db "$@"
fi
exec "$@"
