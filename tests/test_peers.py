"""Our files in programs that are not ours: trimesh, litemapy, nucleation, Goxel, the glTF validator, OpenUSD.

Each test is skipped where its program is absent; .ci/run fetches those that are small.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import voxgen
from voxgen import files
from voxgen.files import minecraft
from voxgen.scene import AIR, Material, Scene, VoxelGrid

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]
GALLERY = Path(__file__).parents[1] / "gallery"
SCENES = ["koi-pond", "ramen-shop", "mixed"]


@cache
def scene(name: str) -> Scene:
    """Return a part of a scene of the gallery, or one with every kind of surface and 300 materials."""
    if name != "mixed":  # a part of it: some of these programs go cell by cell
        whole = voxgen.load(GALLERY / name / "scene.json")
        return whole.but(grid=VoxelGrid(whole.grid.indices[12:52, 12:52, :36].copy(), whole.grid.palette))
    random = np.random.default_rng(7)
    shape = (20, 14, 11)
    indices = (random.integers(1, 301, shape) * (random.random(shape) < 0.6)).astype(np.uint16)
    surfaces = [(1.0, 0.0, 0.0), (0.4, 0.0, 0.0), (1.0, 2.5, 0.0), (1.0, 0.0, 0.8), (0.6, 0.5, 0.2)]
    colors = random.integers(0, 256, (300, 3)).tolist()
    palette = (Material(f"m{i}", (r, g, b), *surfaces[i % 5]) for i, (r, g, b) in enumerate(colors))
    return Scene("Mixed <&> \u00e4", VoxelGrid(indices, (AIR, *palette)))


def mesh_of(path: Path, kind: str) -> Any:
    trimesh = pytest.importorskip("trimesh")
    return trimesh.load(path, file_type=kind, force="mesh")


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize(
    ("ending", "options"),
    [(".glb", {}), (".glb", {"quantize": False}), (".obj", {}), (".ply", {}), (".stl", {})],
    ids=["glb", "glb-floats", "obj", "ply", "stl"],
)
def test_trimesh_measures_the_volume_of_every_voxel(
    tmp_path: Path, name: str, ending: str, options: dict[str, Any]
) -> None:
    path = files.save(scene(name), tmp_path / f"scene{ending}", **options)
    assert mesh_of(path, ending[1:]).volume == pytest.approx(scene(name).grid.voxels, rel=1e-9)


@pytest.mark.parametrize("name", SCENES)
def test_trimesh_finds_a_manifold_stl_watertight(tmp_path: Path, name: str) -> None:
    mesh = mesh_of(files.save(scene(name), tmp_path / "scene.stl", manifold=True), "stl")
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume >= scene(name).grid.voxels


def test_trimesh_sees_the_colours_of_a_ply(tmp_path: Path) -> None:
    mesh = mesh_of(files.save(scene("mixed"), tmp_path / "scene.ply"), "ply")
    used = {scene("mixed").grid.palette[i].color for i in np.unique(scene("mixed").grid.indices) if i}  # noqa: TID251
    assert {tuple(color) for color in mesh.visual.vertex_colors[:, :3].tolist()} <= used


@pytest.mark.parametrize("name", SCENES)
def test_trimesh_finds_the_same_cells_in_a_binvox(tmp_path: Path, name: str) -> None:
    trimesh = pytest.importorskip("trimesh")
    path = files.save(scene(name), tmp_path / "scene.binvox")
    with path.open("rb") as file:
        cells = trimesh.exchange.binvox.load_binvox(file).matrix
    ours = scene(name).grid.indices > 0
    x, y, z = ours.shape
    assert cells.sum() == ours.sum()
    assert np.array_equal(cells[:x, :z, :y], ours[:, ::-1].transpose(0, 2, 1))


# --------------------------------------------------------------------------- glTF and USD

VALIDATE = """
const validator = require("gltf-validator"), fs = require("fs");
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])), {maxIssues: 50})
  .then(report => console.log(JSON.stringify(report.issues)));
"""


def node(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["node", "-e", *args], capture_output=True, text=True, timeout=120, check=False)


@cache
def has_validator() -> bool:
    return bool(shutil.which("node")) and node('require("gltf-validator")').returncode == 0


@pytest.mark.parametrize("name", [*SCENES, "air"])
@pytest.mark.parametrize("quantize", [True, False])
def test_the_gltf_validator_has_nothing_to_say(tmp_path: Path, name: str, quantize: bool) -> None:
    if not has_validator():
        pytest.skip("node with gltf-validator is not here; npm install gltf-validator, and set NODE_PATH")
    air = Scene("Air", VoxelGrid(np.zeros((2, 2, 2), np.uint8), (AIR,)))
    path = files.save(air if name == "air" else scene(name), tmp_path / "scene.glb", quantize=quantize)
    said = json.loads(node(VALIDATE, str(path)).stdout)
    assert (said["numErrors"], said["numWarnings"], said["messages"]) == (0, 0, [])


@pytest.mark.parametrize("name", SCENES)
def test_openusd_opens_a_usdz_and_finds_every_voxel(tmp_path: Path, name: str) -> None:
    pxr = pytest.importorskip("pxr", reason="usd-core is not here (200 MB)")
    assert pxr
    from pxr import Usd, UsdGeom, UsdValidation

    path = files.save(scene(name), tmp_path / "scene.usdz")
    stage, volume = Usd.Stage.Open(str(path)), 0.0
    for prim in stage.Traverse():
        if prim.IsA(UsdGeom.Mesh):
            mesh = UsdGeom.Mesh(prim)
            points = np.array(mesh.GetPointsAttr().Get(), float)
            a, b, c, d = points[np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 4).T]
            volume += float(((np.cross(a, b) * c).sum() + (np.cross(a, c) * d).sum()) / 6)
    assert volume == pytest.approx(scene(name).grid.voxels)
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert validators
    found = UsdValidation.ValidationContext(validators).Validate(stage)
    assert [error.GetMessage() for error in found] == []


# --------------------------------------------------------------------------- Goxel


@pytest.mark.parametrize("name", [*SCENES, "large"])
def test_goxel_reads_a_vox_and_its_mesh_encloses_every_voxel(tmp_path: Path, name: str) -> None:
    if not shutil.which("goxel") or not shutil.which("xvfb-run"):
        pytest.skip("goxel and xvfb-run are not here; apt-get install goxel xvfb xauth")
    if name == "large":
        cells = np.zeros((300, 4, 270), np.uint8)
        cells[::40, :, :] = 1
        chosen = Scene("Large", VoxelGrid(cells, (AIR, Material("red", (200, 40, 30)))))
    else:
        chosen = scene(name)
    path, out = files.save(chosen, tmp_path / "scene.vox"), tmp_path / "out.obj"
    subprocess.run(
        ["xvfb-run", "-a", "goxel", str(path), "-e", str(out)], check=True, capture_output=True, timeout=240
    )
    # its coordinates are decimals with few digits
    assert mesh_of(out, "obj").volume == pytest.approx(chosen.grid.voxels, rel=1e-5)


@pytest.mark.parametrize("name", SCENES)
def test_what_goxel_makes_of_our_vox_we_read_again(tmp_path: Path, name: str) -> None:
    if not shutil.which("goxel") or not shutil.which("xvfb-run"):
        pytest.skip("goxel and xvfb-run are not here; apt-get install goxel xvfb xauth")
    ours = voxgen.load(files.save(scene(name), tmp_path / "scene.vox"))
    out = tmp_path / "out.qb"  # its own .vox brings colours down, its command line exports no .gox
    subprocess.run(
        ["xvfb-run", "-a", "goxel", str(tmp_path / "scene.vox"), "-e", str(out)],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    theirs = voxgen.load(out)
    assert theirs.grid.size == ours.grid.size
    grids = (theirs.grid, ours.grid)
    colors = [np.array([m.color for m in g.palette], np.uint8)[g.indices] for g in grids]
    assert np.array_equal(*colors)


# --------------------------------------------------------------------------- Minecraft


def blocks_of(path: Path) -> tuple[tuple[int, int, int], dict[tuple[int, int, int], str]]:
    """Return what our own reader finds: size along x, y, z and the block of each cell that is not air."""
    read = minecraft.read(path.read_bytes(), "").grid
    x, y, z = read.size
    cells = {
        (a, c, y - 1 - b): read.palette[read.indices[a, b, c]].name
        for a, b, c in np.argwhere(read.indices).tolist()
    }
    return (x, z, y), cells


@pytest.mark.parametrize("name", SCENES)
def test_litemapy_reads_the_same_blocks(tmp_path: Path, name: str) -> None:
    litemapy = pytest.importorskip("litemapy")
    path = files.save(scene(name), tmp_path / "scene.litematic")
    size, ours = blocks_of(path)
    region = next(iter(litemapy.Schematic.load(str(path)).regions.values()))
    assert (region.width, region.height, region.length) == size
    theirs = {}
    for place in region.block_positions():
        state = region[place]
        if state.id != "minecraft:air":
            inside = ",".join(f"{k}={v}" for k, v in sorted(state.properties()))
            theirs[place] = f"{state.id}[{inside}]" if inside else state.id
    assert theirs == ours


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize(
    ("ending", "reader"), [(".schem", "from_sponge_nbt"), (".nbt", "from_structure_nbt")]
)
def test_litemapy_reads_the_same_blocks_of_other_formats(
    tmp_path: Path, name: str, ending: str, reader: str
) -> None:
    litemapy = pytest.importorskip("litemapy")
    from nbtlib import File

    path = files.save(scene(name), tmp_path / f"scene{ending}")
    size, ours = blocks_of(path)
    region, _ = getattr(litemapy.Region, reader)(File.load(str(path), True))
    assert (region.width, region.height, region.length) == size
    assert sum(region[p].id != "minecraft:air" for p in region.block_positions()) == len(ours)
    assert all(region[place].id == state.partition("[")[0] for place, state in ours.items())


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize(
    ("ending", "options"),
    [(".schem", {}), (".schem", {"schem_version": 3}), (".litematic", {})],
    ids=["schem-2", "schem-3", "litematic"],
)
def test_nucleation_reads_the_same_blocks(
    tmp_path: Path, name: str, ending: str, options: dict[str, int]
) -> None:
    nucleation = pytest.importorskip("nucleation", reason="nucleation has wheels from Python 3.12 on")
    path = files.save(scene(name), tmp_path / f"scene{ending}", **options)
    size, ours = blocks_of(path)
    theirs = nucleation.Schematic.open(str(path))
    sides = theirs.dimensions()
    assert (sides.x, sides.y, sides.z) == size
    assert theirs.block_count() == len(ours)
    assert {place: theirs.get_block_string(*place) for place in ours} == ours


def test_a_picture_of_the_palette_is_a_picture(tmp_path: Path) -> None:
    from PIL import Image

    files.save(scene("mixed"), tmp_path / "scene.obj")
    with Image.open(io.BytesIO((tmp_path / "scene-palette.png").read_bytes())) as image:
        assert image.size == (256, 2)
