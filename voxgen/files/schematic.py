"""The .schematic format of MCEdit and old WorldEdit, read only: blocks as the numbers of Minecraft 1.12.

Source: minecraft.wiki, "Schematic file format" and "Java Edition data values/Pre-flattening". The names are
those the game has had since 1.13; which way a block faces is left out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from voxgen.files import blocks, palettes
from voxgen.files.space import check_size
from voxgen.scene import Scene

_DYES = """white orange magenta light_blue yellow lime pink gray light_gray cyan purple blue brown green red
black""".split()  # noqa: SIM905  a table reads better as text
_WOODS = ["oak", "spruce", "birch", "jungle", "acacia", "dark_oak"]
_STONES = [
    "stone",
    "granite",
    "polished_granite",
    "diorite",
    "polished_diorite",
    "andesite",
    "polished_andesite",
]
_SLABS = ["smooth_stone", "sandstone", "oak", "cobblestone", "brick", "stone_brick", "nether_brick", "quartz"]
_FLOWERS = """poppy blue_orchid allium azure_bluet red_tulip orange_tulip white_tulip pink_tulip
oxeye_daisy""".split()  # noqa: SIM905
# by number, sixteen a row; what depends on the data value is in _VARIANTS
_NAMES = """
air stone grass_block dirt cobblestone oak_planks oak_sapling bedrock water water lava lava sand gravel gold_ore iron_ore
coal_ore oak_log oak_leaves sponge glass lapis_ore lapis_block dispenser sandstone note_block red_bed powered_rail detector_rail sticky_piston cobweb fern
dead_bush piston piston_head white_wool moving_piston dandelion poppy brown_mushroom red_mushroom gold_block iron_block smooth_stone smooth_stone_slab bricks tnt bookshelf
mossy_cobblestone obsidian torch fire spawner oak_stairs chest redstone_wire diamond_ore diamond_block crafting_table wheat farmland furnace furnace oak_sign
oak_door ladder rail cobblestone_stairs oak_wall_sign lever stone_pressure_plate iron_door oak_pressure_plate redstone_ore redstone_ore redstone_torch redstone_torch stone_button snow ice
snow_block cactus clay sugar_cane jukebox oak_fence pumpkin netherrack soul_sand glowstone nether_portal jack_o_lantern cake repeater repeater white_stained_glass
oak_trapdoor infested_stone stone_bricks brown_mushroom_block red_mushroom_block iron_bars glass_pane melon pumpkin_stem melon_stem vine oak_fence_gate brick_stairs stone_brick_stairs mycelium lily_pad
nether_bricks nether_brick_fence nether_brick_stairs nether_wart enchanting_table brewing_stand cauldron end_portal end_portal_frame end_stone dragon_egg redstone_lamp redstone_lamp oak_planks oak_slab cocoa
sandstone_stairs emerald_ore ender_chest tripwire_hook tripwire emerald_block spruce_stairs birch_stairs jungle_stairs command_block beacon cobblestone_wall flower_pot carrots potatoes oak_button
skeleton_skull anvil trapped_chest light_weighted_pressure_plate heavy_weighted_pressure_plate comparator comparator daylight_detector redstone_block nether_quartz_ore hopper quartz_block quartz_stairs activator_rail dropper white_terracotta
white_stained_glass_pane acacia_leaves acacia_log acacia_stairs dark_oak_stairs slime_block barrier iron_trapdoor prismarine sea_lantern hay_block white_carpet terracotta coal_block packed_ice sunflower
white_banner white_wall_banner daylight_detector red_sandstone red_sandstone_stairs red_sandstone red_sandstone_slab spruce_fence_gate birch_fence_gate jungle_fence_gate dark_oak_fence_gate acacia_fence_gate spruce_fence birch_fence jungle_fence dark_oak_fence
acacia_fence spruce_door birch_door jungle_door acacia_door dark_oak_door end_rod chorus_plant chorus_flower purpur_block purpur_pillar purpur_stairs purpur_block purpur_slab end_stone_bricks beetroots
dirt_path end_gateway repeating_command_block chain_command_block frosted_ice magma_block nether_wart_block red_nether_bricks bone_block structure_void observer
""".split()  # noqa: E501, SIM905
_NAMES += [f"{dye}_shulker_box" for dye in _DYES] + [f"{dye}_glazed_terracotta" for dye in _DYES]
_NAMES += ["white_concrete", "white_concrete_powder", "air", "air", "structure_block"]
_VARIANTS: dict[int, list[str]] = {
    1: _STONES,
    3: ["dirt", "coarse_dirt", "podzol"],
    5: [f"{wood}_planks" for wood in _WOODS],
    6: [f"{wood}_sapling" for wood in _WOODS] * 2,
    12: ["sand", "red_sand"],
    17: [f"{wood}_log" for wood in _WOODS[:4]] * 4,
    18: [f"{wood}_leaves" for wood in _WOODS[:4]] * 4,
    38: _FLOWERS,
    43: ["smooth_stone", "sandstone", "oak_planks", "cobblestone", "bricks", "stone_bricks", "nether_bricks"],
    44: [f"{slab}_slab" for slab in _SLABS] * 2,
    98: ["stone_bricks", "mossy_stone_bricks", "cracked_stone_bricks", "chiseled_stone_bricks"],
    125: [f"{wood}_planks" for wood in _WOODS],
    126: [f"{wood}_slab" for wood in [*_WOODS, "oak", "oak"]] * 2,
    139: ["cobblestone_wall", "mossy_cobblestone_wall"],
    161: ["acacia_leaves", "dark_oak_leaves"] * 8,
    162: ["acacia_log", "dark_oak_log"] * 8,
    168: ["prismarine", "prismarine_bricks", "dark_prismarine"],
    **{
        number: [f"{dye}_{kind}" for dye in _DYES]
        for number, kind in {
            35: "wool", 95: "stained_glass", 159: "terracotta", 160: "stained_glass_pane", 171: "carpet",
            251: "concrete", 252: "concrete_powder",
        }.items()
    },
}  # fmt: skip


def scene(tree: dict[str, Any], title: str) -> Scene:
    """Return the scene of a tree of tags."""
    x, y, z = (tree[side] & 0xFFFF for side in ("Width", "Height", "Length"))
    check_size((x, z, y), "the schematic")
    number, data = tree["Blocks"].view(np.uint8), tree["Data"].view(np.uint8)
    if not number.size == data.size == math.prod((x, y, z)):
        raise ValueError(f"it holds {number.size:,} blocks of {math.prod((x, y, z)):,}")
    materials: dict[str, int] = {}
    states = [_state(n, variant) for n in range(256) for variant in range(16)]
    used = np.zeros(len(states), bool)
    for start in range(0, number.size, 1 << 20):  # bytes at a time
        used[_both(number, data, start)] = True
    table = np.zeros(len(states), np.int64)
    table[used] = blocks.numbers_of([states[i] for i in np.flatnonzero(used)], materials)
    cells = palettes.blank((number.size,), len(materials))
    for start in range(0, number.size, 1 << 20):
        both = _both(number, data, start)
        cells[start : start + len(both)] = table[both]
    return blocks.scene_of(cells.reshape(y, z, x), materials, title)


def _both(number: Any, data: Any, start: int) -> Any:
    """Return number * 16 + data value of some cells."""
    part = slice(start, start + (1 << 20))
    return number[part].astype(np.uint16) * 16 + (data[part] & 15)


def _state(number: int, variant: int) -> str:
    named = _VARIANTS.get(number, [])
    name = named[variant] if variant < len(named) else _NAMES[number]
    return f"minecraft:{name}"
