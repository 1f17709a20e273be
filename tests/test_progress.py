"""The live line: it counts what arrives and shows nothing a terminal would obey."""

from __future__ import annotations

import io

from voxgen.progress import Line


def test_the_line_counts_tokens_parts_and_steps() -> None:
    line = Line(io.StringIO())
    line.on_reasoning("let me think " * 10)
    assert "thinking" in line.text()
    line.on_text('{"title": "Quiet\\u001b[31m pond", "parts": {"a": {"build": []}}, "build": [{"box": [')
    line.on_text('[0,0,0],[1,1,1]], "of": "a"}, {"voxels": [[0,0,0]], "of": "a"}, ')
    text = line.text()
    assert "≈ " in text
    assert "Quiet[31m pond" in text
    assert "\x1b" not in text
    assert text.endswith("1 part · 2 steps")


def test_the_line_is_redrawn_in_place() -> None:
    file = io.StringIO()
    Line(file).on_text('{"title": "Pond"')
    assert file.getvalue().startswith("\r\x1b[K")
    assert "\n" not in file.getvalue()
