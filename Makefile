# make demo   sets everything up and runs the main job on real images
# make test   sets everything up and runs every test
# make bench  times every kernel; BENCH holds options of Google Benchmark, which it needs
# make loops  times the inner loops of a MobileNet's blocks, beside the least they could take
# make fuzz   fuzzes every C++ target; FUZZ holds options of tests/fuzz/run.py. Needs clang++-19, libFuzzer
# make mutate loads and runs mutated models; MUTATE holds options of tests/fuzz/mutate.py
# make soak   runs many threads and 10,000 sessions
# make format formats Python and C++
# Everything lives in .venv and .cache; delete them to begin again.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
CPP := $(shell find runtime cmake tests/cpp tests/fuzz benchmarks -name '*.cpp' -o -name '*.h' -o -name '*.inc' \
	-o -name '*.cmake' -o -name CMakeLists.txt -o -name '*.map')

.PHONY: demo test bench loops fuzz mutate soak format

demo: .venv/installed
	$(BIN)/bdnet-export demo

test: .venv/installed
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

bench:
	cmake -S . -B .cache/bench -DBDNET_BUILD_BENCHMARKS=ON
	cmake --build .cache/bench --target bdnet_benchmark_kernels --parallel
	.cache/bench/benchmarks/bdnet_benchmark_kernels $(BENCH)

loops:
	cmake -S . -B .cache/bench -DBDNET_BUILD_BENCHMARKS=ON
	cmake --build .cache/bench --target bdnet_benchmark_block_loops --parallel
	.cache/bench/benchmarks/bdnet_benchmark_block_loops

# The next three run for long, go on where they were, and record what they did in tests/fuzz.
fuzz: .venv/installed
	cmake --preset fuzz
	cmake --build --preset fuzz --parallel
	PYTHONPATH=tests nice -n 19 $(BIN)/python -m fuzz.run $(FUZZ)

mutate: .venv/installed
	PYTHONPATH=tests nice -n 19 $(BIN)/python -m fuzz.mutate $(MUTATE)

soak: .venv/installed
	PYTHONPATH=tests $(BIN)/python -m fuzz.base_models .cache/soak
	$(BIN)/python tests/fuzz/soak.py .cache/soak --loops 10000 --record tests/fuzz/soak_result.json

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(filter %.cpp %.h %.inc,$(CPP))

# Editable: Python changes are seen at once, C++ changes when this rule runs again.
.venv/installed: pyproject.toml constraints.txt CMakeLists.txt $(CPP)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
