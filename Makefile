# make demo   sets everything up and runs the main job on real images
# make test   sets everything up and runs every test
# make bench  times every kernel; BENCH holds options of Google Benchmark, which it needs
# make loops  times the inner loops of a MobileNet's blocks, beside the least they could take
# make fuzz   fuzzes every C++ target; FUZZ holds options of tests/fuzz/run.py. Needs clang++-19, libFuzzer
# make mutate loads and runs mutated models; MUTATE holds options of tests/fuzz/mutate.py
# make soak   runs many threads and 10,000 sessions
# make format formats Python and C++
# make lint   looks at style and types, at the workflows and at the Dockerfile
# make site   makes the documentation's pages in build/site
# make wheels builds what a release publishes into dist, twice, and tries the wheels
# make images does what the Dockerfile says without a container engine; IMAGES holds options of
#             release/try_dockerfile.py. Needs root
# make torch  installs PyTorch from TORCH_INDEX_URL first, where the plain one is too large
# Everything lives in .venv, .cache, build and dist; delete them to begin again.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
CPP := $(shell find runtime cmake tests/cpp tests/fuzz benchmarks -name '*.cpp' -o -name '*.h' -o -name '*.inc' \
	-o -name '*.cmake' -o -name CMakeLists.txt -o -name '*.map')

.PHONY: demo test bench loops fuzz mutate soak format lint site wheels images torch

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
	$(BIN)/clang-format -i $(filter %.cpp %.h %.inc,$(CPP)) $(wildcard examples/cpp/*/*.cpp examples/cpp/*/*.h)

lint: .venv/installed
	$(BIN)/python -m pytest tests/test_style.py tests/test_architecture.py

site: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheels: .venv/installed
	$(BIN)/python release/wheels.py dist
	$(BIN)/python release/try_wheels.py dist

images: .venv/installed
	rm -rf .cache/images
	$(BIN)/python release/try_dockerfile.py .cache/images $(IMAGES)

torch:
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -z "$(TORCH_INDEX_URL)" || \
		$(BIN)/python -m pip install --constraint constraints.txt --index-url "$(TORCH_INDEX_URL)" torch

# Editable: Python changes are seen at once, C++ changes when this rule runs again.
.venv/installed: pyproject.toml constraints.txt CMakeLists.txt $(CPP)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
