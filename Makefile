.PHONY: run test lint claims bench package samples setup

setup:
	@packaging/setup.sh

run: setup
	@packaging/run.sh

# Tests start the program some twenty times: each time is a second shorter where modules stay compiled.
test: export PYTHONDONTWRITEBYTECODE =
test:
	@packaging/setup.sh test
	@.venv/bin/python -m pytest -n logical --maxprocesses 8 --dist loadgroup -m "not claim and not bench and not alone"
	@.venv/bin/python -m pytest -m alone

lint:
	@packaging/setup.sh lint
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache

# The papers' claims against their baselines; figures go to tests/claims/results.json.
claims:
	@packaging/setup.sh test
	@.venv/bin/python -m pytest -m claim -s --timeout 14400

# Speed against what a user would pick instead, as ratios from one run.
bench:
	@packaging/setup.sh test bench
	@.venv/bin/python -m pytest -m bench -s --timeout 7200

# A one-folder program in dist/, tried out with its own self-test.
package:
	@packaging/setup.sh package
	@.venv/bin/pyinstaller --noconfirm --clean --log-level WARN packaging/fieldwright.spec
	@du -sh dist/fieldwright
	@xvfb-run -a -s "-screen 0 1600x1000x24" dist/fieldwright/fieldwright --selftest
