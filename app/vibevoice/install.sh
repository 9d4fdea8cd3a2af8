#!/bin/sh
# While the image is built: install a part of what the studio runs on into /opt/venv, without what only a
# developer needs, and with the bytecode of what the studio imports, for its root is read-only.
set -eu
cd /opt/build
site=/opt/venv/lib/python3*/site-packages

# uv comes and goes within the layer. pip takes an index without TLS only when told to.
python3 -m venv /tmp/uv
case $PACKAGE_INDEX in
    http://*) host=${PACKAGE_INDEX#http://}; export PIP_TRUSTED_HOST="${host%%/*}" ;;
esac
/tmp/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --index-url "$PACKAGE_INDEX" \
    --require-hashes -r build.lock
export UV_NO_CACHE=1 UV_HTTP_TIMEOUT=600 UV_PYTHON=/opt/venv/bin/python UV_NO_PROGRESS=1
install() { /tmp/uv/bin/uv pip install "$@"; }
# All bytecode would be 300 MB; what a part imports is a tenth of that.
warm() { /opt/venv/bin/python -c "$1"; }

case $1 in
    torch)
        python3 -m venv --without-pip /opt/venv
        install --index-url "$PACKAGE_INDEX" --require-hashes -r torch.lock
        install --index-url "$TORCH_INDEX" -r torch.txt
        # Tests and headers; bin/ is for tests and code generators, but for the one program that torch starts.
        (cd $site/torch && rm -rf test include share lib/*.a && find bin -type f ! -name torch_shm_manager -delete)
        find $site/sympy $site/networkx $site/mpmath -type d -name tests -prune -exec rm -rf {} +
        warm 'import torch'
        ;;
    locked)
        install --index-url "$PACKAGE_INDEX" --require-hashes -r requirements.lock
        find $site/pandas $site/numpy -type d -name tests -prune -exec rm -rf {} +
        # Gradio's server-side rendering (needs Node) and source maps.
        rm -rf $site/gradio/templates/node
        find $site/gradio -name '*.map' -delete
        warm 'import cryptography.hazmat.primitives.asymmetric.ed25519, sqlite3
import fastapi, gradio, imageio_ffmpeg, prometheus_client, soundfile, uvicorn
import transformers.models.vibevoice.modeling_vibevoice, transformers.models.vibevoice.processing_vibevoice'
        ;;
esac
rm -rf /tmp/*
