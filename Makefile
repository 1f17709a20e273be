# Everything runs in the virtual environment that is active: pip install -e '.[dev,bench]'
.PHONY: test lint fix gallery sheet bench fuzz

test:            ## the tests, in parallel
	python -m pytest -n auto

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
	python benchmarks/build.py
	python benchmarks/start.py
	python benchmarks/client.py
	python benchmarks/replies.py
