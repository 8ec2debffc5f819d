# Thin door to tools/dev.py, which does the work and also runs where make is missing:
#   python3 tools/dev.py app        (Windows: py tools\dev.py app)
PYTHON ?= python3

.PHONY: setup app test lint bench lock clean

setup app test lint bench lock clean:
	@$(PYTHON) tools/dev.py $@
