// Grid → visible faces: two 32-bit words a face, sorted by layer so that a cut is a prefix of each list.
//   word 0   x | y << 10 | z << 20
//   word 1   kind | direction << 16 (0..5: -x +x -y +y -z +z) | openness of the corners << 19, 2 bits each:
//            low low, high low, low high, high high along the tangents | depth of water << 27 | passing << 31
// A passing face is seen for a while of the build-up: in place of openness stands the step whose cell hides it.
// Openness is the corner rule of M. Lysenko, "Ambient occlusion for Minecraft-like worlds" (2013).
'use strict';

const SOLID = 1, CLEAR = 2;
const MOST_DEPTH = 15;

/** Pad a grid of (z, y, x) cells with one cell of air on all sides, so that every cell has neighbours. */
function padded(cells, rare, [nx, ny, nz]) {
  const row = nx + 2, layer = row * (ny + 2);
  const out = new (rare.length ? Uint16Array : Uint8Array)(layer * (nz + 2));
  for (let z = 0, from = 0; z < nz; z++)
    for (let y = 0; y < ny; y++, from += nx)
      out.set(cells.subarray(from, from + nx), (z + 1) * layer + (y + 1) * row + 1);
  if (rare.length) for (let i = 0, next = 0; i < out.length; i++) if (out[i] === 255) out[i] += rare[next++];
  return {cells: out, size: [nx, ny, nz], row, layer};
}

/** A list of words that grows. */
class Words {
  constructor(count = 1 << 11) { this.data = new Uint32Array(2 * Math.max(1, count)); this.length = 0; }
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

/** Find all faces: for solid and for clear kinds, six lists by direction and how long each is up to a layer. */
function findFaces(grid, kinds) {
  const [, , nz] = grid.size;
  const lists = [SOLID, CLEAR].map(() => Array.from({length: 6}, () => ({words: new Words(), upto: new Uint32Array(nz + 1)})));
  for (let z = 0; z < nz; z++) {
    layerFaces(grid, kinds, z, lists);
    for (const six of lists) for (const list of six) list.upto[z + 1] = list.words.length / 2;
  }
  return lists;
}

function layerFaces({cells, size: [nx, ny], row, layer}, {kind, look}, z, lists) {
  const step = [1, row, layer];
  for (let y = 0; y < ny; y++) {
    let at = (z + 1) * layer + (y + 1) * row + 1;
    for (let x = 0; x < nx; x++, at++) {
      const own = cells[at];
      if (!own) continue;
      const own_kind = kind[own];
      for (let d = 0; d < 6; d++) {
        const axis = d >> 1, away = d & 1 ? step[axis] : -step[axis], front = cells[at + away];
        if (kind[front] === SOLID || look[front] === look[own]) continue;
        const corners = openness(cells, kind, at + away, step[(axis + 1) % 3], step[(axis + 2) % 3]);
        const depth = own_kind === CLEAR ? run(cells, look, at, -away) : 0;
        lists[own_kind - 1][d].words.push(x | y << 10 | z << 20, (own | d << 16 | corners << 19 | depth << 27) >>> 0);
      }
    }
  }
}

/** Faces that cells of a later step hide in the end, solid and clear, and the first and last layer of each step. */
function passingFaces({cells, size: [nx, ny, nz], row, layer}, {kind, look, step}) {
  const lists = [new Words(), new Words()], ways = [-1, 1, -row, row, -layer, layer];
  const low = new Int32Array(256).fill(nz), high = new Int32Array(256).fill(-1);
  for (let z = 0; z < nz; z++)
    for (let y = 0; y < ny; y++)
      for (let x = 0, at = (z + 1) * layer + (y + 1) * row + 1; x < nx; x++, at++) {
        const own = cells[at];
        if (!own) continue;
        if (low[step[own]] > z) low[step[own]] = z;
        high[step[own]] = z;
        for (let d = 0; d < 6; d++) {
          const front = cells[at + ways[d]];
          if (step[front] > step[own] && (kind[front] === SOLID || look[front] === look[own]))
            lists[kind[own] - 1].push(x | y << 10 | z << 20, passing(own, d, step[front], kind));
        }
      }
  return {lists, low, high};
}

/** The second word of a face that is seen until a step; 255 is none. */
function passing(own, direction, until, kind) {
  return (1 << 31 | own | direction << 16 | until << 19 | (kind[own] === CLEAR ? 4 : 0) << 27) >>> 0;
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
function run(cells, look, at, step) {
  let count = 1;
  while (count < MOST_DEPTH && look[cells[at + step * count]] === look[cells[at]]) count++;
  return count;
}

/** The faces that close a cut below layer `top`: tops of cells that another stands on; of one step alone if given. */
function capFaces({cells, size: [nx, ny, nz], row, layer}, {kind, look, step}, top, only) {
  const lists = [new Words(), new Words()];
  if (top < 1 || top >= nz) return lists;
  for (let y = 0; y < ny; y++)
    for (let x = 0, at = top * layer + (y + 1) * row + 1; x < nx; x++, at++) {
      const own = cells[at], above = cells[at + layer];
      if (own && (kind[above] === SOLID || look[above] === look[own]) && (!only || step[own] === only && step[above] === only))
        lists[kind[own] - 1].push(x | y << 10 | (top - 1) << 20, only ? passing(own, 5, 255, kind) :
          (own | 5 << 16 | 255 << 19 | (kind[own] === CLEAR ? 4 : 0) << 27) >>> 0);
    }
  return lists;
}

/** Clear faces turned to a cell, below layer `top`, the farthest first. A cell hides none that is nearer along an axis. */
function backToFront(sources, size, eye, top) {
  const count = sources.reduce((sum, {length}) => sum + length / 2, 0);
  let low = new Uint32Array(count), high = new Uint32Array(count), n = 0;
  for (const {data, length} of sources)
    for (let i = 0; i < length; i += 2) {
      const a = data[i], b = data[i + 1], axis = b >>> 17 & 3, place = a >>> 10 * axis & 1023;
      if (a >>> 20 >= top || (b >>> 16 & 1 ? eye[axis] <= place : eye[axis] >= place)) continue;
      low[n] = a;
      high[n++] = b;
    }
  for (let axis = 0; axis < 3; axis++) { // a radix sort: the last axis counts most
    const most = size[axis] + 1, ends = new Uint32Array(most + 2), next = [new Uint32Array(n), new Uint32Array(n)];
    const off = a => most - Math.abs((a >>> 10 * axis & 1023) - eye[axis]);
    for (let i = 0; i < n; i++) ends[off(low[i]) + 1]++;
    for (let k = 1; k < ends.length; k++) ends[k] += ends[k - 1];
    for (let i = 0; i < n; i++) {
      const at = ends[off(low[i])]++;
      next[0][at] = low[i];
      next[1][at] = high[i];
    }
    [low, high] = next;
  }
  const words = new Words(n);
  for (let i = 0; i < n; i++) words.push(low[i], high[i]);
  return words;
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
