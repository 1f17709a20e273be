"""Draws contact sheets of the built-in composer: 40 prompts, two seeds each, or every stock part.

python benchmarks/sheet.py [prompts|parts] [OUT.png] [NAME…]; in drafts, which the tiles are small enough for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import voxgen
from voxgen import stock
from voxgen.ask.composer import compose
from voxgen.scene import Scene

Picture = tuple[str, NDArray[np.uint8]]

PROMPTS = """a garden
a pond
a castle
a japanese garden with a red bridge
a lighthouse on a cliff at night with a storm
a cyberpunk alley in the rain
a tiny red wooden bridge over a stream in autumn
un castillo medieval en la nieve
樱花树下的寺庙
three cats
a well
a rocket
a village square at sunset
a farm with a red tractor and two cows
a pirate ship in a storm
a dragon on a hill
a swamp
a crystal cave
a sky island with a windmill
a volcano
a waterfall in the forest
an igloo and penguins
ein Leuchtturm am Meer bei Sonnenuntergang
un village sous la neige
tre barche sul lago
a steam train in the mountains
a desert with a pyramid
a spooky graveyard at night
a moon base
an oak tree
a greek temple
a knight
a horse by the pond
a market with three stalls
a hot air balloon
a robot in the city
a sailing boat
a snowman
a campfire in the woods at night
roses around a statue""".splitlines()


def of_prompts(prompts: Iterable[str], size: tuple[int, int]) -> Iterator[Picture]:
    """Yield prompt and picture for two seeds of each prompt."""
    for prompt in prompts:
        for seed in (0, 1):
            text, notes = compose(prompt, seed)
            print(f"{prompt!r} {seed}: {'; '.join(notes)}", file=sys.stderr)
            scene = voxgen.read(text)
            plain = all(ord(letter) < 0x250 for letter in prompt)  # what Pillow's own font has
            yield prompt if plain else f"{scene.title} (Chinese)", _draw(scene, size)


def of_parts(names: Iterable[str], size: tuple[int, int]) -> Iterator[Picture]:
    """Yield name and picture of stock parts, each on a plate."""
    for name in names:
        document = stock.specimen(name)
        yield f"{name} {document['size']}", _draw(voxgen.read(json.dumps(document)), size)


def _draw(scene: Scene, size: tuple[int, int]) -> NDArray[np.uint8]:
    return voxgen.render(scene, size=size, quality="draft")


def sheet(pictures: Iterable[Picture], columns: int) -> Image.Image:
    """Return the pictures in rows, each with its words in the corner."""
    tiles = []
    for words, pixels in pictures:
        tile = Image.fromarray(pixels)
        ImageDraw.Draw(tile).text((4, 2), words, fill="white", stroke_width=1, stroke_fill="black")
        tiles.append(tile)
    wide, high = tiles[0].size
    whole = Image.new("RGB", (columns * wide, -(-len(tiles) // columns) * high), "white")
    for i, tile in enumerate(tiles):
        whole.paste(tile, (i % columns * wide, i // columns * high))
    return whole


if __name__ == "__main__":
    kind, out, *chosen = [*sys.argv[1:], "prompts", "gallery/builtin-sheet.png"][: max(2, len(sys.argv) - 1)]
    if kind == "parts":
        whole = sheet(of_parts(chosen or sorted(stock.parts()), (240, 200)), 8)
    else:
        whole = sheet(of_prompts(chosen or PROMPTS, (320, 240)), 8)
    whole.quantize(255, dither=Image.Dither.FLOYDSTEINBERG).save(out, optimize=True)
