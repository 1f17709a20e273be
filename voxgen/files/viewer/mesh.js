// Grid → visible faces: two 32-bit words a face, sorted by layer so that a cut is a prefix of each list.
//   word 0   x | y << 10 | z << 20
//   word 1   material | direction << 16 (0..5: -x +x -y +y -z +z) | openness of the corners << 19, 2 bits
//            each: low low, high low, low high, high high along the tangents | depth of water << 27
// Openness is the corner rule of M. Lysenko, "Ambient occlusion for Minecraft-like worlds" (2013).
'use strict';

const AIR = 0, SOLID = 1, CLEAR = 2; // kinds of material
const MOST_DEPTH = 15;

/** Pad a grid of (z, y, x) cells with one cell of air on all sides, so that every cell has neighbours. */
function padded(cells, [nx, ny, nz]) {
  const row = nx + 2, layer = row * (ny + 2);
  const out = new cells.constructor(layer * (nz + 2));
  for (let z = 0, from = 0; z < nz; z++)
    for (let y = 0; y < ny; y++, from += nx)
      out.set(cells.subarray(from, from + nx), (z + 1) * layer + (y + 1) * row + 1);
  return {cells: out, size: [nx, ny, nz], row, layer};
}

/** A list of words that grows. */
class Words {
  constructor() { this.data = new Uint32Array(1 << 12); this.length = 0; }
  push(a, b) {
    if (this.length + 2 > this.data.length) {
      const wider = new Uint32Array(this.data.length * 2);
      wider.set(this.data);
      this.data = wider;
    }
    this.data[this.length++] = a;
    this.data[this.length++] = b;
  }
}

/** Find all faces: for solid and for clear materials, six lists by direction and how long each is up to a layer. */
function findFaces(grid, kind) {
  const [, , nz] = grid.size;
  const lists = [SOLID, CLEAR].map(() => Array.from({length: 6}, () => ({words: new Words(), upto: new Uint32Array(nz + 1)})));
  for (let z = 0; z < nz; z++) {
    layerFaces(grid, kind, z, lists);
    for (const six of lists) for (const list of six) list.upto[z + 1] = list.words.length / 2;
  }
  return lists;
}

function layerFaces({cells, size: [nx, ny], row, layer}, kind, z, lists) {
  const step = [1, row, layer];
  for (let y = 0; y < ny; y++) {
    let at = (z + 1) * layer + (y + 1) * row + 1;
    for (let x = 0; x < nx; x++, at++) {
      const own = cells[at];
      if (!own) continue;
      const own_kind = kind[own];
      for (let d = 0; d < 6; d++) {
        const axis = d >> 1, away = d & 1 ? step[axis] : -step[axis], front = cells[at + away];
        if (kind[front] === SOLID || front === own) continue;
        const corners = openness(cells, kind, at + away, step[(axis + 1) % 3], step[(axis + 2) % 3]);
        const depth = own_kind === CLEAR ? run(cells, at, -away, own) : 0;
        lists[own_kind - 1][d].words.push(x | y << 10 | z << 20, (own | d << 16 | corners << 19 | depth << 27) >>> 0);
      }
    }
  }
}

/** How open the four corners of a face are, 0 in a deep corner .. 3 free, packed in 8 bits. */
function openness(cells, kind, at, u, v) {
  const solid = i => kind[cells[i]] === SOLID ? 1 : 0;
  const west = solid(at - u), east = solid(at + u), south = solid(at - v), north = solid(at + v);
  const corner = (a, b, diagonal) => a & b ? 0 : 3 - a - b - solid(diagonal);
  return corner(west, south, at - u - v) | corner(east, south, at + u - v) << 2 |
    corner(west, north, at - u + v) << 4 | corner(east, north, at + u + v) << 6;
}

/** How many cells of one material follow each other; a grid's padding ends every run. */
function run(cells, at, step, own) {
  let count = 1;
  while (count < MOST_DEPTH && cells[at + step * count] === own) count++;
  return count;
}

/** The faces that close a cut below layer `top`: tops of cells that another cell stands on. */
function capFaces({cells, size: [nx, ny, nz], row, layer}, kind, top) {
  const lists = [new Words(), new Words()];
  if (top >= nz) return lists;
  for (let y = 0; y < ny; y++)
    for (let x = 0, at = top * layer + (y + 1) * row + 1; x < nx; x++, at++) {
      const own = cells[at], above = cells[at + layer];
      if (own && (kind[above] === SOLID || above === own))
        lists[kind[own] - 1].push(x | y << 10 | (top - 1) << 20, (own | 5 << 16 | 255 << 19 | (kind[own] === CLEAR ? 4 : 0) << 27) >>> 0);
    }
  return lists;
}

/** Ends of every column as points, flat (n * 3): their hull encloses the scene. */
function outline({cells, size: [nx, ny, nz], row, layer}) {
  const points = [];
  for (let y = 0; y < ny; y++)
    for (let x = 0; x < nx; x++) {
      const foot = (y + 1) * row + x + 1;
      let low = 0, high = nz;
      while (low < nz && !cells[foot + (low + 1) * layer]) low++;
      if (low === nz) continue;
      while (!cells[foot + high * layer]) high--;
      for (const z of [low, high]) points.push(x, y, z, x + 1, y, z, x, y + 1, z, x + 1, y + 1, z);
    }
  return Float32Array.from(points);
}
