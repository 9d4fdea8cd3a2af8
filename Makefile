# The commands of this project. `make lab` and `make test` are the quick start; `make help` lists them all.
INVENTORY ?= inventory/lab.py
MODEL ?= 1.5b
REPORTS = reports
PYTHON = .venv/bin/python
PYINFRA = .venv/bin/pyinfra
# Colours and cursor movements do not belong into a log file.
export PYTHONUNBUFFERED = 1

.PHONY: help lab lab-down lab-info lab-up deploy test check unit test-app test-door test-page test-gpu test-lab \
        test-faults test-long smoke screenshots bench-deploy bench-operations bench-door bench-engine \
        knobs known-hosts weights-lock lock \
        venv venv-app venv-door test-packages

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

# --- the site in a box -------------------------------------------------------------------------------------

lab: lab-up deploy  ## hosts, their little internet and a deployed site, from nothing; prints addresses and logins
	@$(PYTHON) -m lab show

lab-up: venv venv-app
	@$(PYINFRA) -y @local lab/up.py

deploy: venv  ## bring the site of INVENTORY to what it says
	@$(PYINFRA) -y $(INVENTORY) deploy.py

lab-down: venv  ## stop the lab; nothing of it stays but its caches
	@$(PYINFRA) -y @local lab/down.py

lab-info: venv  ## the lab as one JSON object, for scripts (make -s lab-info)
	@$(PYTHON) -m lab info

# --- proof -------------------------------------------------------------------------------------------------

test: check unit test-app test-door test-page test-lab  ## everything, the end-to-end run on the lab included

check: venv venv-app venv-door  ## style and types
	@.venv/bin/ruff check . && .venv/bin/ruff format --check -q . \
		&& printf '%s\n' . app tests/door | xargs -P 2 -n 1 .venv/bin/pyright -p

unit: venv venv-door test-packages  ## what needs no host
	@$(PYTHON) -m pytest tests/unit -n 2 --dist loadfile

test-app: venv-app  ## the studio's own tests (THOROUGH=1: more of everything, fifty kills)
	@PYTHONPATH=app VV_THOROUGH=$(THOROUGH) OMP_NUM_THREADS=1 .venv-app/bin/python -m pytest tests/app \
		-c tests/app/pytest.ini -n 2 --dist loadfile --no-loadscope-reorder \
		$(if $(THOROUGH),,-m "not thorough")

test-gpu:  ## what only a GPU can show, on a machine that has one (fetches the CUDA build of torch)
	@bin/venv-app cu130 && PYTHONPATH=app .venv-gpu/bin/python -m pytest tests/gpu -c tests/gpu/pytest.ini

test-door: venv-door  ## the door's own tests
	@PYTHONPATH=app .venv-door/bin/python -m pytest tests/door -c tests/door/pytest.ini

test-page: venv venv-app test-packages  ## the studio's page in a real browser
	@$(PYTHON) -m pytest tests/page -n 2 --dist loadfile

test-lab: venv test-packages lab  ## the site, end to end and under attack, on the lab's hosts (THOROUGH=1: all)
	@VV_PATIENCE=3 $(PYTHON) -m pytest tests/lab tests/faults --durations=25 --durations-min=5 \
		-m "(not fault or always)$(if $(THOROUGH),, and not thorough)" --junit-xml=$(REPORTS)/lab.xml
	@$(MAKE) --no-print-directory smoke

test-faults: venv test-packages lab  ## every fault for real, under load, and a table of what it costs
	@$(PYTHON) -m pytest tests/faults -m fault --junit-xml=$(REPORTS)/faults.xml

test-long: venv test-packages lab  ## a job of 90 minutes through the gateway, and what memory it takes
	@$(PYTHON) -m pytest tests/long -s --junit-xml=$(REPORTS)/long.xml

screenshots: venv test-packages lab  ## the studio's pages as they are now, into docs/images
	@$(PYTHON) -m pytest tests/lab/test_studio_story.py -k every_page --screenshots=docs/images

smoke: venv  ## any deployed site from outside: make smoke INVENTORY=inventory/staging.py
	@$(PYTHON) -m pytest tests/smoke --inventory=$(INVENTORY) --junit-xml=$(REPORTS)/smoke.xml

bench-deploy: venv venv-app  ## seconds from bare hosts to HTTPS, by phase
	@$(PYTHON) -m bench.deploy

bench-operations: venv venv-app  ## seconds of status, drift, a change of all studios, a rollback
	@$(PYTHON) -m bench.operations

bench-door: venv venv-door  ## what the door costs a request, beside no lock and basicAuth
	@$(PYTHON) -m bench.door

bench-engine: venv-app  ## what a frame of the engine costs, beside transformers' own generation
	@PYTHONPATH=app .venv-app/bin/python -m vibevoice.bench --json $(REPORTS)/bench-engine.json

# --- for operators -----------------------------------------------------------------------------------------

knobs: venv  ## every knob of an inventory, with default and effect
	@$(PYTHON) -m fleet --knobs

known-hosts: venv  ## read the host keys of INVENTORY, to be compared and kept (REPLACE=1: also changed ones)
	@$(PYTHON) -m fleet.known_hosts $(INVENTORY) $(if $(REPLACE),--replace)

weights-lock: venv  ## pin MODEL's files by checksum: make weights-lock INVENTORY=... MODEL=1.5b
	@$(PYTHON) -m fleet.weights $(INVENTORY) $(MODEL)

# --- environments ------------------------------------------------------------------------------------------

venv:
	@bin/venv .venv requirements/dev.lock

venv-app:
	@bin/venv-app

venv-door:
	@bin/venv-door

test-packages:
	@bin/packages tests/packages.txt

lock: venv  ## resolve and lock the operator's dependencies anew
	@for name in operator dev; do .venv/bin/uv pip compile -q --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --custom-compile-command "make lock" \
		requirements/$$name.in -o requirements/$$name.lock; done
