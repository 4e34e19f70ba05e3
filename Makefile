# What is missing on the machine is installed first; see demo/install.
# Tests are narrowed down with: make test ARGS="--fast" or ARGS="tests.ajaxterm".

PAGE := ajaxterm/page
BIN := .venv/bin
PAGES := $(addprefix tests.real.test_page_,fallback hostile looks pasting sharing terminal)

.PHONY: help demo test fast lint fmt install behind fuzz soak clean

help:
	@echo "make demo     a tiny guest's prompt in your browser (root; Ctrl-C ends it)"
	@echo "make test     the whole suite, on real parts too (root)"
	@echo "make fast     the fast tests alone"
	@echo "make lint     ruff, mypy, import-linter, and the page's own"
	@echo "make fmt      format the sources"
	@echo "make behind   the tests of the page, behind nginx below a path (root)"
	@echo "make fuzz     anything, thrown at what strangers reach, for some minutes"
	@echo "make soak     half an hour of 50 consoles with much going on (root)"
	@echo "make install  put on the machine what these need, and nothing more"
	@echo "make clean    remove what was built here, but not the demo's guest"

demo:
	@demo/install run
	@exec $(BIN)/python -m demo

test:
	@demo/install test
	@exec $(BIN)/python tests/run.py $(ARGS)

fast:
	@demo/install test
	@exec $(BIN)/python tests/run.py --fast

lint:
	@demo/install test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	npm --prefix $(PAGE) run --if-present --silent lint

fmt:
	@demo/install test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install:
	@demo/install test

behind:
	@demo/install test
	@PAGE_BEHIND=stripped $(BIN)/python tests/run.py $(PAGES)
	@PAGE_BEHIND=kept $(BIN)/python tests/run.py $(PAGES)

fuzz:
	@demo/install test
	@FUZZ=$${FUZZ:-20} exec $(BIN)/python tests/run.py tests.fuzz

soak:
	@demo/install test
	@exec $(BIN)/python -m bench.soak $(ARGS)

clean:
	rm -rf .venv .work .coverage* .mypy_cache .ruff_cache .import_linter_cache build dist
	rm -rf *.egg-info _trial_temp* $(PAGE)/node_modules $(PAGE)/built twisted/plugins/dropin.cache
	find . -name __pycache__ -prune -exec rm -rf {} +
