"""Minecraft's blocks and the scene's materials, both ways, for every format of the game.

Reading: a material is called what the file calls its block, state and all ("minecraft:oak_log[axis=y]"), and
looks as language/blocks.py says. Writing: such a name stands as it is; any other material becomes

1. water, where it is clear and called so; the block of its own name, where that looks like it ("oak planks");
2. where it glows, the light nearest in colour; where it is translucent, the nearest glass;
3. else the solid, full block nearest in colour that neither falls, decays nor changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.files import palettes
from voxgen.files.space import y_up, z_up
from voxgen.language.blocks import DYES, WOODS, block_material, fold_block, is_air
from voxgen.language.palette import guess_material
from voxgen.scene import AIR, Indices, Material, Repair, Scene, VoxelGrid

Numbers = NDArray[np.int64]
DATA_VERSION = 3465  # Minecraft 1.20.1; newer games bring it up to date when they load it
_ALIKE = 0.14  # OKLab distance up to which a material may be the block of its name
_MAX_MATERIALS = 65_535
_GLOWS = 0.25  # from which a material is a light
_WORLD = 384  # blocks from the bottom of a world to its top
_STATE = re.compile(r"[a-z0-9_.\-]+:[a-z0-9_./\-]+(\[[^\[\]]*\])?")

_NATURAL = [
    "oak_wood", "spruce_wood", "birch_wood", "jungle_wood", "acacia_wood", "dark_oak_wood",
    "mangrove_wood", "cherry_wood", "crimson_hyphae", "warped_hyphae", "grass_block", "dirt",
    "coarse_dirt", "podzol", "mycelium", "mud", "packed_mud", "mud_bricks", "clay", "snow_block",
    "moss_block", "sandstone", "red_sandstone", "terracotta", "hay_block", "melon", "pumpkin",
    "bone_block", "sponge", "stone", "cobblestone", "mossy_cobblestone", "stone_bricks",
    "mossy_stone_bricks", "granite", "diorite", "andesite", "deepslate", "tuff", "calcite",
    "dripstone_block", "basalt", "blackstone", "obsidian", "bricks", "nether_bricks",
    "red_nether_bricks", "netherrack", "nether_wart_block", "warped_wart_block",
    "end_stone", "purpur_block", "prismarine", "dark_prismarine", "quartz_block", "amethyst_block",
    "coal_block", "iron_block", "gold_block", "oxidized_copper", "diamond_block", "emerald_block",
    "lapis_block", "netherite_block",
]  # fmt: skip
_DYED = [dye + kind for kind in ("_concrete", "_wool", "_terracotta") for dye in DYES]
_OLD_WOODS = [wood for wood in WOODS if wood != "pale_oak"]  # which came after DATA_VERSION
_WHOLE = [*_DYED, *(wood + "_planks" for wood in _OLD_WOODS), *_NATURAL]
_LIGHTS = [
    "glowstone", "sea_lantern", "shroomlight", "ochre_froglight", "verdant_froglight",
    "pearlescent_froglight", "magma_block", "jack_o_lantern", "crying_obsidian",
]  # fmt: skip
_GLASS = ["glass", *(dye + "_stained_glass" for dye in DYES)]
_BY_NAME_ONLY = [
    "sand", "red_sand", "gravel", "ice", "packed_ice", "blue_ice", "bedrock", "bookshelf",
    "barrel",
]  # fmt: skip
_LEAVES = [wood + "_leaves" for wood in _OLD_WOODS if wood not in ("bamboo", "crimson", "warped")]
_MEANT = {
    "grass": "grass_block", "lawn": "grass_block", "earth": "dirt", "soil": "dirt", "snow": "snow_block",
    "moss": "moss_block", "leaf": "oak_leaves", "leaves": "oak_leaves", "wood": "oak_planks",
    "planks": "oak_planks", "bark": "oak_wood", "log": "oak_wood", "trunk": "oak_wood", "brick": "bricks",
    "rock": "stone", "gold": "gold_block",
    "iron": "iron_block", "quartz": "quartz_block", "lamp": "glowstone", "lantern": "glowstone",
    "straw": "hay_block", "thatch": "hay_block", "hay": "hay_block", "ash": "gravel",
}  # fmt: skip
_WATERS = ("water", "sea", "ocean", "river", "lake", "pond")  # whatever their colour: the biome gives it
_KEPT = "[persistent=true]"  # of leaves, which decay without


# --------------------------------------------------------------------------- reading


def numbers_of(states: Iterable[str], materials: dict[str, int]) -> Numbers:
    """Return the material of each block state, 0 for air; new ones are added to `materials`.

    Raises ValueError above 65,535 materials.
    """
    numbers = []
    for state in states:
        name = state_of(entry_of(state))  # the order of its properties is anyone's
        numbers.append(0 if is_air(name) else materials.setdefault(name, len(materials) + 1))
    if len(materials) > _MAX_MATERIALS:
        raise ValueError(f"it has {len(materials):,} blocks, more than {_MAX_MATERIALS:,}")
    return np.array(numbers or [0], np.int64)


def scene_of(cells: Indices, materials: dict[str, int], title: str) -> Scene:
    """Return the scene of (y, z, x) cells that hold material numbers; unknown blocks are told as repairs."""
    if not cells.any():
        raise ValueError("it holds no block but air")
    indices = z_up(cells.transpose(2, 0, 1)).copy()
    palette, repairs = [AIR], []
    for state in materials:
        look = block_material(state)
        if look is None:
            guess, fix = guess_material(fold_block(state), ())
            assert isinstance(guess, Material)
            look = guess
            repairs.append(Repair("palette", f'"{state[:80]}" is no block known here', fix, "warn"))
        palette.append(Material(state, look.color, look.opacity, look.glow, look.metal))
    grid = palettes.in_use(VoxelGrid(indices, tuple(palette)))
    return Scene(title, grid, repairs=tuple(repairs))


def title_of(tree: dict[str, Any]) -> str:
    """Return the name a schematic gives itself, "" where it has none."""
    about = tree.get("Metadata")
    name = about.get("Name") if isinstance(about, dict) else None
    return name if isinstance(name, str) and name != "Unnamed" else ""


def state_of(entry: Any) -> str:
    """Return a block of a palette as text: {Name, Properties} → "minecraft:oak_log[axis=y]"."""
    name, properties = str(entry["Name"]), entry.get("Properties") or {}
    inside = ",".join(f"{key}={value}" for key, value in sorted(properties.items()))
    return f"{name}[{inside}]" if inside else name


# --------------------------------------------------------------------------- writing


def blocks_of(grid: VoxelGrid, tell: Callable[[str], None]) -> tuple[Indices, list[str]]:
    """Return (y, z, x) cells and the block states they number, air first."""
    grid = palettes.in_use(grid)
    numbers = {"minecraft:air": 0}
    of = [numbers.setdefault(block_of(m), len(numbers)) if i else 0 for i, m in enumerate(grid.palette)]
    if grid.size[2] > _WORLD:
        tell(f"{grid.size[2]} blocks high; a world of Minecraft is {_WORLD}")
    cells = y_up(palettes.looked_up(np.array(of), grid.indices)).transpose(1, 2, 0)
    return cells, list(numbers)


def entry_of(state: str) -> dict[str, Any]:
    """Return a block state as an entry of a palette, the inverse of `state_of`."""
    name, _, inside = state.rstrip("]").partition("[")
    pairs = [pair.partition("=") for pair in inside.split(",") if "=" in pair]
    return {"Name": name} | ({"Properties": {key: value for key, _, value in pairs}} if pairs else {})


@lru_cache(maxsize=65_536)
def block_of(material: Material) -> str:
    """Return the block state that stands for a material.

    >>> block_of(Material("hat", (160, 40, 40)))
    'minecraft:red_concrete'
    """
    if _STATE.fullmatch(material.name):
        return material.name
    own = _named(material)
    if own:
        return own
    if material.glow >= _GLOWS:
        return _nearest(material, tuple(_LIGHTS))
    return _nearest(material, tuple(_GLASS if material.opacity < 1 else _WHOLE))


def _named(material: Material) -> str | None:
    """Return the block of a material's own name, if it looks like it."""
    name = fold_block(material.name)
    if material.opacity < 1 and any(word.startswith(_WATERS) for word in name.split("_")):
        return "minecraft:water[level=0]"
    name = _MEANT.get(name, name)
    known = {*_WHOLE, *_LIGHTS, *_GLASS, *_LEAVES, *_BY_NAME_ONLY}
    block = next((b for b in (name, f"{name}_block") if b in known), None)
    look = block_material(block) if block else None
    if block is None or look is None or (look.glow > 0) != (material.glow >= _GLOWS):
        return None
    apart = np.linalg.norm(np.subtract(*palettes.oklab([look.color, material.color])))
    return f"minecraft:{block}{_KEPT if block in _LEAVES else ''}" if apart < _ALIKE else None


def _nearest(material: Material, blocks: tuple[str, ...]) -> str:
    """Return the block of a list that looks most like a material.

    Minecraft has few muted colours. A block that is too vivid or too dark is forgiven; one of another hue,
    or a grey one where there should be colour, is not: blue slate is lapis rather than andesite.
    """
    known, colors = _colors(blocks)
    wanted = palettes.oklab([material.color])[0]
    lightness, *other = (colors - wanted).T
    chroma = np.hypot(colors[:, 1], colors[:, 2]) - np.hypot(*wanted[1:])
    hue = np.square(other).sum(axis=0) - chroma**2
    apart = 0.5 * lightness**2 + np.where(chroma > 0, 0.8, 3.0) * chroma**2 + 3.0 * hue
    return f"minecraft:{known[int(apart.argmin())]}"


@lru_cache(maxsize=8)
def _colors(blocks: tuple[str, ...]) -> tuple[list[str], NDArray[np.float64]]:
    looks = [(block, block_material(block)) for block in blocks]
    known = [(block, look.color) for block, look in looks if look]
    return [block for block, _ in known], palettes.oklab(color for _, color in known)
