# The commands of this project. `make lab` and `make test` are the quick start.
PYINFRA = .venv/bin/pyinfra
INVENTORY ?= inventory/lab.py

.PHONY: venv lock
venv: .venv
.PHONY: .venv
.venv:
	@bin/venv .venv requirements/dev.lock

lock: .venv
	@for name in operator dev; do .venv/bin/uv pip compile -q --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --custom-compile-command "make lock" \
		requirements/$$name.in -o requirements/$$name.lock; done
