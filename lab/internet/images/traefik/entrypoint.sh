#!/bin/sh
set -e
# Options alone, or one of Traefik's own commands, mean traefik.
case "${1:-}" in -* | healthcheck | version) set -- traefik "$@" ;; esac
exec "$@"
