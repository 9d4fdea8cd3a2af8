#!/bin/sh
# While the image is built: install what the door runs on into /opt/venv, with its bytecode, for the root is
# read-only, and without what only a developer needs.
set -eu
cd /opt/build

# uv comes and goes within the layer. pip takes an index without TLS only when told to.
python3 -m venv /tmp/uv
case $PACKAGE_INDEX in
    http://*) host=${PACKAGE_INDEX#http://}; export PIP_TRUSTED_HOST="${host%%/*}" ;;
esac
/tmp/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --index-url "$PACKAGE_INDEX" \
    --require-hashes -r build.lock
python3 -m venv --without-pip /opt/venv
UV_NO_CACHE=1 UV_HTTP_TIMEOUT=600 UV_NO_PROGRESS=1 /tmp/uv/bin/uv pip install --python /opt/venv/bin/python \
    --compile-bytecode --index-url "$PACKAGE_INDEX" --require-hashes -r requirements.lock
rm -rf /tmp/*
