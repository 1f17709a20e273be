# Everything runs in the virtual environment that is active: pip install -e '.[dev,bench]'
.PHONY: test slow lint fix gallery sheet bench fuzz

test:            ## the tests, in parallel
	python -m pytest -n auto

slow:            ## the tests that take minutes: 60 MB of everything
	python -m pytest -n auto -m slow

fuzz:            ## minutes of random input; what it finds becomes a fixture
	VOXGEN_FUZZ=20000 python -m pytest -n auto tests/test_hostile.py -k any

lint:            ## style and types
	ruff check .
	ruff format --check .
	mypy

fix:             ## mend what ruff can mend
	ruff check --fix .
	ruff format .

gallery:         ## draw every picture of the gallery again
	python -m voxgen gallery

sheet:           ## 40 prompts, two seeds each, drawn by the built-in composer
	python benchmarks/sheet.py prompts gallery/builtin-sheet.png

bench:           ## the figures of the README
	python benchmarks/mesh.py
	python benchmarks/process.py
	python benchmarks/build.py
	python benchmarks/start.py
	python benchmarks/client.py
	python benchmarks/replies.py
	python benchmarks/lighting.py
	python benchmarks/files.py
