"""Minecraft block names → materials: a table of the common ones and rules for their families.

The colours are the mean of what one sees of a block in daylight, chosen by eye.
"""

from __future__ import annotations

import re
from functools import lru_cache

from voxgen.scene import Material

__all__ = ["block_material", "fold_block", "is_air", "is_block"]

DYES = {
    "white": "#e9ecec", "light_gray": "#9a9a93", "gray": "#474f52", "black": "#1d1d21",
    "brown": "#7a4f2e", "red": "#a92f28", "orange": "#ec7a17", "yellow": "#f6c52b",
    "lime": "#75b51f", "green": "#58721d", "cyan": "#178b93", "light_blue": "#3fb1da",
    "blue": "#393ea1", "purple": "#7d2fae", "magenta": "#bd49b3", "pink": "#ee93af",
}  # fmt: skip

# planks, bark, leaves
WOODS = {
    "oak": ("#a8854f", "#6d5533", "#4e8a2c"),
    "spruce": ("#745531", "#3d2913", "#3b5f3a"),
    "birch": ("#c5b57b", "#d9d7d0", "#6f9a48"),
    "jungle": ("#a37552", "#56441a", "#3f9a1c"),
    "acacia": ("#aa5b32", "#69625a", "#5d9a26"),
    "dark_oak": ("#43301a", "#3e301b", "#3c7222"),
    "mangrove": ("#76372f", "#55442b", "#4f8428"),
    "cherry": ("#e3b3ad", "#38212b", "#eeb4d2"),
    "bamboo": ("#c4ae55", "#7f9038", "#5f8a2a"),
    "crimson": ("#67304a", "#5c1a1e", "#7a0606"),
    "warped": ("#2c6a66", "#3a3b4e", "#177a7a"),
    "pale_oak": ("#e5dad8", "#594f4c", "#9aa48f"),
}

# name: colour, or (colour, opacity, glow, metal)
BLOCKS: dict[str, str | tuple[str, float, float, float]] = {
    # ground and plants
    "grass_block": "#6da044", "short_grass": "#77ab4b", "fern": "#5f9142", "dirt": "#866043",
    "coarse_dirt": "#77553b", "rooted_dirt": "#90674c", "podzol": "#5f4423", "mycelium": "#6f6265",
    "dirt_path": "#94793f", "farmland": "#6e4a2a", "mud": "#3c393c", "packed_mud": "#8e6a4f",
    "mud_bricks": "#89684f", "clay": "#a0a6b3", "sand": "#dbcfa3", "red_sand": "#be6621",
    "gravel": "#837f7e", "snow": "#f5fbfb", "moss": "#5d7634", "sandstone": "#d8cb9b",
    "red_sandstone": "#ba631d", "terracotta": "#985e43", "hay": "#c3a12f", "melon": "#6f9020",
    "pumpkin": "#c67418", "cactus": "#557f2b", "sugar_cane": "#93be64", "vine": "#4c7a28",
    "lily_pad": "#2f7a2f", "kelp": "#4d7a2c", "seagrass": "#3f7f2c", "wheat": "#c8b04a", "azalea": "#6a8a36",
    "flowering_azalea": "#8c7f5c", "sweet_berry_bush": "#3f6b3d", "dead_bush": "#8a5f2c",
    "dandelion": "#f4d022", "poppy": "#cf2a1c", "blue_orchid": "#2fa6d8", "allium": "#b27be0",
    "azure_bluet": "#dfe6e0", "red_tulip": "#d8371f", "orange_tulip": "#e07a21", "white_tulip": "#e6ece2",
    "pink_tulip": "#e3b0d8", "oxeye_daisy": "#e8e6cf", "cornflower": "#466aeb", "sunflower": "#f2c21c",
    "lilac": "#c59fd3", "rose_bush": "#b3221e", "peony": "#e0a9d0", "lily_of_the_valley": "#e9efe4",
    "pink_petals": "#f4b7d5", "brown_mushroom": "#97714f", "red_mushroom": "#c82c27",
    "mushroom_stem": "#cbc4b9", "sponge": "#c3c04b", "coral": "#d4557f", "bone": "#e2dec8",
    # stone
    "stone": "#7e7e7e", "cobblestone": "#7c7c7c", "mossy_cobblestone": "#6c7660",
    "stone_bricks": "#7a797a", "mossy_stone_bricks": "#737a69", "granite": "#956756", "diorite": "#bcbcbd",
    "andesite": "#888889", "deepslate": "#505053", "tuff": "#6c6d66", "calcite": "#dfe0dc",
    "dripstone": "#866b5c", "basalt": "#515156", "blackstone": "#2b2429", "obsidian": "#100c1a",
    "bedrock": "#555555", "bricks": "#96614f", "nether_bricks": "#2c161a", "red_nether_bricks": "#450709",
    "netherrack": "#622626", "nether_wart": "#730302", "soul_sand": "#513e32", "end_stone": "#dbde9e",
    "purpur": "#a97da9", "prismarine": "#63a091", "dark_prismarine": "#345d4d", "quartz": "#ece6df",
    "resin_bricks": "#cf5a1a", "sculk": "#0d1f26", "amethyst": "#8662bf", "coal": "#141414",
    # ores and metals
    "iron": ("#dcdcdc", 1, 0, 0.6), "gold": ("#f6d03d", 1, 0, 0.8), "copper": ("#c06b4f", 1, 0, 0.5),
    "exposed_copper": ("#a17d67", 1, 0, 0.4), "weathered_copper": ("#6c996e", 1, 0, 0.3),
    "oxidized_copper": ("#52a384", 1, 0, 0.2), "netherite": ("#433e40", 1, 0, 0.6),
    "diamond": ("#62ede4", 1, 0, 0.2), "emerald": ("#2bcb58", 1, 0, 0.2), "lapis": "#1f438c",
    "redstone": "#b01905", "anvil": ("#4a4a4a", 1, 0, 0.4), "chain": ("#3e4453", 1, 0, 0.5),
    "iron_bars": ("#8d9190", 1, 0, 0.5), "cauldron": ("#4b4a4b", 1, 0, 0.4), "hopper": ("#4d4b4d", 1, 0, 0.4),
    "rail": "#7d6f58", "bell": ("#f6d03d", 1, 0, 0.8), "lightning_rod": ("#c06b4f", 1, 0, 0.5),
    # clear
    "glass": ("#cfe6ec", 0.35, 0, 0), "tinted_glass": ("#2c262e", 0.7, 0, 0), "ice": ("#92b8fd", 0.8, 0, 0),
    "packed_ice": "#8db4fa", "blue_ice": "#74a8fd", "frosted_ice": ("#8cb5fc", 0.8, 0, 0),
    "water": ("#3f76e4", 0.7, 0, 0), "bubble_column": ("#3f76e4", 0.7, 0, 0), "slime": ("#6fc05b", 0.8, 0, 0),
    "honey": ("#fbb936", 0.85, 0, 0), "cobweb": ("#e4e9ea", 0.5, 0, 0), "barrier": ("#e4e9ea", 0.1, 0, 0),
    # lights
    "lava": ("#d45a12", 1, 1.4, 0), "fire": ("#f39b2a", 0.9, 1.8, 0), "soul_fire": ("#33c1c5", 0.9, 1.5, 0),
    "magma": ("#8e3f1f", 1, 0.5, 0), "glowstone": ("#ffd98a", 1, 1.6, 0),
    "sea_lantern": ("#cfe3dc", 1, 1.5, 0), "shroomlight": ("#f19346", 1, 1.5, 0),
    "lantern": ("#f3b95c", 1, 1.5, 0), "torch": ("#ffd35c", 1, 1.6, 0),
    "soul_lantern": ("#6fd8dd", 1, 1.2, 0), "soul_torch": ("#6fe0e4", 1, 1.2, 0),
    "redstone_torch": ("#e2341d", 1, 0.9, 0), "redstone_lamp": ("#d39a5b", 1, 1.2, 0),
    "jack_o_lantern": ("#e39a2c", 1, 1.2, 0), "end_rod": ("#f2ede4", 1, 1.4, 0),
    "campfire": ("#e2862f", 1, 1.2, 0), "soul_campfire": ("#4fc4c8", 1, 1.0, 0),
    "beacon": ("#a9f0ec", 0.8, 1.6, 0), "conduit": ("#b5a98b", 1, 0.8, 0), "candle": ("#f0d6a6", 1, 0.8, 0),
    "ochre_froglight": ("#faf0c3", 1, 1.3, 0), "verdant_froglight": ("#e3f4e3", 1, 1.3, 0),
    "pearlescent_froglight": ("#f3ece9", 1, 1.3, 0), "glow_lichen": ("#70837a", 1, 0.5, 0),
    "crying_obsidian": ("#31105a", 1, 0.3, 0), "respawn_anchor": ("#4a1c8f", 1, 0.6, 0),
    "nether_portal": ("#8b3fd6", 0.7, 1.0, 0), "end_portal": ("#0d1524", 1, 0.4, 0),
    # furniture
    "crafting_table": "#8c6239", "bookshelf": "#8f6d43", "chest": "#a2742d", "ender_chest": "#2b3f40",
    "barrel": "#86653b", "furnace": "#6f6f6f", "smoker": "#5c5348", "dispenser": "#6f6f6f",
    "observer": "#5f5f5f", "piston": "#8d7a55", "lectern": "#ab8550", "composter": "#7a5529",
    "note": "#6a4330", "jukebox": "#6d4733", "tnt": "#c33a2b", "ladder": "#8f7144", "scaffolding": "#c5a257",
    "flower_pot": "#7c4534", "decorated_pot": "#8b4632", "enchanting_table": "#7c2f33", "loom": "#9c7f5e",
    "cake": "#efe4dd", "beehive": "#b48f52", "bee_nest": "#c99c3f", "spawner": "#26333f", "target": "#e2b5ab",
    "dried_kelp": "#333a23", "item_frame": "#9a7446", "painting": "#8a6a4c", "skeleton_skull": "#c9c9c9",
    "lever": "#6d5a41", "tripwire": "#8f8f8f", "repeater": "#9c9a99", "comparator": "#9c9a99",
    "grindstone": "#8b8b8b", "stonecutter": "#7b766f", "armor_stand": "#9a7446", "smithing_table": "#3a3b47",
    "cartography_table": "#6b5540", "fletching_table": "#c6b286", "brewing_stand": "#7b6a52",
}  # fmt: skip

ALIASES = {
    "grass": "grass_block", "tall_grass": "short_grass", "large_fern": "fern", "path": "dirt_path",
    "grass_path": "dirt_path", "planks": "oak_planks", "wood": "oak_planks", "log": "oak_log",
    "leaves": "oak_leaves", "wool": "white_wool", "concrete": "light_gray_concrete", "brick": "bricks",
    "carpet": "white_wool", "bed": "red_wool", "door": "oak_planks", "fence": "oak_planks",
    "hardened_clay": "terracotta", "stonebrick": "stone_bricks", "lit_pumpkin": "jack_o_lantern",
    "stained_glass": "glass", "flowing_water": "water", "flowing_lava": "lava", "lamp": "redstone_lamp",
    "shulker_box": "purpur", "sign": "oak_planks", "banner": "white_wool", "cocoa": "jungle_log",
    "raw_iron": "terracotta", "nether_brick": "nether_bricks", "end_stone_bricks": "end_stone",
    "carrots": "short_grass", "potatoes": "short_grass", "beetroots": "short_grass", "bush": "fern",
    "ancient_debris": "netherite", "blast_furnace": "furnace", "dropper": "furnace", "crafter": "furnace",
    "command_block": "terracotta", "chain_command_block": "prismarine", "repeating_command_block": "purpur",
    "structure_block": "purpur", "jigsaw": "purpur", "test_block": "stone", "lodestone": "andesite",
    "cobbled_deepslate": "deepslate", "reinforced_deepslate": "deepslate", "vault": "deepslate",
    "trial_spawner": "spawner", "mob_spawner": "spawner", "daylight_detector": "oak_planks",
    "dragon_egg": "obsidian", "dragon_head": "coal", "end_gateway": "end_portal",
    "end_portal_frame": "end_stone", "end_bricks": "end_stone", "honeycomb": "honey", "web": "cobweb",
    "glow_item_frame": "item_frame", "light": "glowstone", "lava_cauldron": "lava", "moving_piston": "piston",
    "water_cauldron": "cauldron", "powder_snow_cauldron": "cauldron", "pointed_dripstone": "dripstone",
    "nether_gold": "gold", "nether_quartz": "quartz", "nether_sprouts": "warped_leaves",
    "soul_soil": "soul_sand", "soul_wall_torch": "soul_torch", "copper_torch": "torch", "heavy_core": "stone",
    "copper_lantern": "lantern", "copper_chest": "copper", "copper_chain": "copper", "iron_chain": "chain",
    "copper_golem_statue": "copper", "dried_ghast": "gravel", "sniffer_egg": "terracotta",
    "chorus": "purpur", "chorus_flower": "purpur", "creaking_heart": "resin_bricks", "resin": "resin_bricks",
    "resin_clump": "resin_bricks", "sculk_sensor": "sculk", "sculk_catalyst": "sculk", "sculk_vein": "sculk",
    "sculk_shrieker": "sculk", "sea_pickle": "moss", "turtle_egg": "bone", "frogspawn": "slime",
    "leaf_litter": "podzol", "hanging_roots": "rooted_dirt", "mangrove_roots": "mangrove_log",
    "open_eyeblossom": "orange_tulip", "closed_eyeblossom": "short_grass", "wildflowers": "dandelion",
    "pitcher": "allium", "torchflower": "orange_tulip", "wither_rose": "coal", "cactus_flower": "peony",
    "short_dry_grass": "dead_bush", "tall_dry_grass": "dead_bush", "small_dripleaf": "azalea",
    "cave_vines": "vine", "twisting_vines": "warped_leaves", "weeping_vines": "crimson_leaves",
    "pale_moss": "pale_oak_leaves", "pale_hanging_moss": "pale_oak_leaves", "tripwire_hook": "oak_planks",
    "skull": "skeleton_skull", "player": "birch_planks", "zombie": "green_wool", "piglin": "pink_wool",
    "wither_skeleton": "coal", "creeper": "lime_wool", "boat": "oak_planks", "wooden": "oak_planks",
    "heavy_weighted_pressure_plate": "iron", "light_weighted_pressure_plate": "gold",
    "lit_redstone_lamp": "redstone_lamp", "monster_egg": "stone", "log2": "dark_oak_log",
    "leaves2": "dark_oak_leaves", "tallgrass": "short_grass", "yellow_flower": "dandelion",
    "red_flower": "poppy", "waterlily": "lily_pad", "reeds": "sugar_cane", "deadbush": "dead_bush",
    "noteblock": "note", "trapdoor": "oak_planks", "fence_gate": "oak_planks", "standing_sign": "oak_planks",
    "wall_sign": "oak_planks", "standing_banner": "white_wool", "wall_banner": "white_wool",
    "stained_clay": "terracotta", "candle_cake": "cake", "bubble_coral": "purple_wool",
    "bamboo": "bamboo_leaves", "big_dripleaf": "azalea", "spore_blossom": "peony", "firefly_bush": "fern",
}  # fmt: skip

_EMPTY = {"", ".", "~", "_"}
_AIR = {"air", "cave_air", "void_air", "structure_void", "void", "empty", "none", "null", "nothing"}
_SUFFIXES = (
    "_wall_hanging_sign", "_hanging_sign", "_wall_sign", "_wall_banner", "_wall_torch", "_wall_fan",
    "_pressure_plate", "_fence_gate", "_trapdoor", "_shulker_box", "_candle_cake", "_stairs", "_slab",
    "_wall", "_leaves", "_fence", "_door", "_button", "_sign", "_banner", "_carpet", "_block", "_pane",
    "_bed", "_pillar", "_tiles", "_tile", "_grate", "_bulb", "_ore", "_powder", "_bars", "_lamp",
    "_plant", "_fan", "_cluster", "_sapling", "_bud", "_head", "_skull", "_bricks", "_brick", "_wire",
    "_vines", "_shelf", "_crop", "_layer", "_stem", "_boat", "_egg",
)  # fmt: skip
_PREFIXES = (
    "unpowered_", "unlit_", "lit_", "stained_", "calibrated_", "large_", "medium_", "small_", "muddy_",
    "polished_", "chiseled_", "cracked_", "smooth_", "cut_", "waxed_", "infested_", "potted_", "mossy_",
    "raw_", "gilded_", "double_", "powered_", "activator_", "detector_", "trapped_", "wall_", "sticky_",
    "deepslate_", "heavy_",
    "light_weighted_", "heavy_weighted_", "suspicious_", "petrified_", "attached_", "carved_", "chipped_",
    "damaged_", "tall_", "powder_", "budding_", "dead_", "tube_", "brain_", "fire_", "horn_", "wet_", "red_",
)  # fmt: skip
_LONGEST_WOODS = sorted(WOODS, key=len, reverse=True)  # dark_oak before oak
_LONGEST_DYES = sorted(DYES, key=len, reverse=True)
_DYED = {
    "wool", "carpet", "concrete", "concrete_powder", "glazed_terracotta", "bed", "banner", "wall_banner",
    "shulker_box", "dye",
}  # fmt: skip
_LEAFY = {"leaves", "sapling", "wart_block", "roots", "fungus", "propagule", "nylium"}
_BARK = {"log", "wood", "stem", "hyphae", "block"}
_PLANKS = {"", "planks", "mosaic"}


def fold_block(name: str) -> str:
    """Return a block name without namespace, state and spelling: "Minecraft:Oak Log[axis=y]" → "oak_log"."""
    name = re.split(r"[\[{]", name, maxsplit=1)[0].rsplit(":", 1)[-1]
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def is_air(name: object) -> bool:
    """Say whether a name means an empty cell, in any of the usual spellings ("", ".", "minecraft:air")."""
    if name is None:
        return True
    if not isinstance(name, str) or len(name) > 80:
        return False
    return name.strip() in _EMPTY or fold_block(name) in _AIR


def is_block(name: str) -> bool:
    """Say whether a name is in the table or one of its families, exactly, without guessing at its ending."""
    folded = fold_block(name[:200])
    return bool(folded in BLOCKS or folded in ALIASES or _wood(folded) or _dyed(folded))


@lru_cache(maxsize=4096)
def block_material(name: str) -> Material | None:
    """Return the material of a Minecraft block, or None where neither table nor rules know it.

    >>> block_material("minecraft:spruce_stairs[facing=east]").color
    (116, 85, 49)
    """
    folded = re.sub(r"^silver_", "light_gray_", fold_block(name[:200])).replace("_cut_copper", "_copper")[:80]
    found = _find(folded)
    return Material(folded, *found) if found else None


Look = tuple[tuple[int, int, int], float, float, float]


def _find(name: str, depth: int = 0) -> Look | None:
    if name in BLOCKS:
        return _look(BLOCKS[name])
    if name in ALIASES:
        return _find(ALIASES[name], depth + 1)
    if name + "s" in BLOCKS:
        return _look(BLOCKS[name + "s"])
    family = _wood(name) or _dyed(name)
    if family or depth > 5:
        return family
    for suffix in _SUFFIXES:
        if name.endswith(suffix) and len(name) > len(suffix):
            stem = name.removesuffix(suffix)
            return _find(stem, depth + 1) or (None if suffix == "_brick" else _find(stem + "s", depth + 1))
    for prefix in _PREFIXES:
        if name.startswith(prefix) and len(name) > len(prefix):
            return _find(name.removeprefix(prefix), depth + 1)
    return _find(name.removesuffix("s"), depth + 1) if name.endswith("s") else None


def _look(entry: str | tuple[str, float, float, float]) -> Look:
    color, opacity, glow, metal = (entry, 1.0, 0.0, 0.0) if isinstance(entry, str) else entry
    red, green, blue = bytes.fromhex(color[1:])
    return (red, green, blue), float(opacity), float(glow), float(metal)


def _wood(name: str) -> Look | None:
    stripped = name.startswith("stripped_")
    name = name.removeprefix("stripped_")
    wood = next((w for w in _LONGEST_WOODS if name == w or name.startswith(w + "_")), None)
    if wood is None:
        return None
    planks, bark, leaves = WOODS[wood]
    rest = name[len(wood) + 1 :]
    if rest in _LEAFY:
        return _look(leaves)
    if rest in _BARK:
        return _look(planks if stripped else bark)
    return _look(planks) if rest in _PLANKS else None


def _dyed(name: str) -> Look | None:
    dye = next((d for d in _LONGEST_DYES if name.startswith(d + "_")), None)
    if dye is None:
        return None
    rest = name[len(dye) + 1 :]
    color = _look(DYES[dye])[0]
    if rest in ("stained_glass", "stained_glass_pane", "glass", "glass_pane"):
        return color, 0.5, 0.0, 0.0
    if rest in ("terracotta", "stained_hardened_clay"):  # dye over brown clay
        return _mix(color, (152, 94, 67), 0.45), 1.0, 0.0, 0.0
    if rest == "candle":
        return color, 1.0, 0.8, 0.0
    return (color, 1.0, 0.0, 0.0) if rest in _DYED else None


def _mix(a: tuple[int, int, int], b: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(p + (q - p) * share) for p, q in zip(a, b, strict=True))
    return red, green, blue
