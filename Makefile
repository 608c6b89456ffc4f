# make demo   sets everything up and runs the main job on real images
# make test   sets everything up and runs every test
# make format formats Python and C++
# Everything lives in .venv and .cache; delete them to begin again.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
CPP := $(shell find runtime cmake tests/cpp benchmarks -name '*.cpp' -o -name '*.h' -o -name '*.inc' -o -name '*.cmake' \
	-o -name CMakeLists.txt -o -name '*.map')

.PHONY: demo test format

demo: .venv/installed
	$(BIN)/bdnet-export demo

test: .venv/installed
	$(BIN)/python -m pytest

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(filter %.cpp %.h %.inc,$(CPP))

# Editable: Python changes are seen at once, C++ changes when this rule runs again.
.venv/installed: pyproject.toml constraints.txt CMakeLists.txt $(CPP)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
