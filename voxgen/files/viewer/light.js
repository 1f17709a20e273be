// Soft light in a coarse volume around the scene: how much sky each place sees, and what lamps shine there.
// Sun and corners are sharper than that; the shaders have a shadow map and the corners of each face for them.
'use strict';

const MOST_CELLS = 300000, MOST_LAMPS = 90, FAINT = 0.004;
const SKY_WAYS = [[0, 0, 1, 1], ...[-1, 1].flatMap(a => [[a, 0, 1, 0.75], [0, a, 1, 0.75]]),
  ...[-1, 1].flatMap(a => [-1, 1].map(b => [a, b, 1, 0.6]))];
const SIDE_WAYS = [[1, 0], [-1, 0], [0, 1], [0, -1]], SIDE_WEIGHT = 0.4;

/** Light volume of the layers below `top`: RGB lamp light of unit strength, A the share of sky seen. */
function lightVolume(grid, top, materials, strongest) {
  const [nx, ny] = grid.size, wide = Math.max(nx, ny);
  let side = 1, shape;
  for (;; side++) {
    const margin = Math.ceil(0.3 * wide / side);
    shape = {side, margin, size: [Math.ceil(nx / side) + 2 * margin, Math.ceil(ny / side) + 2 * margin, Math.ceil(top / side) + 2]};
    if (shape.size.reduce((a, b) => a * b) <= MOST_CELLS) break;
  }
  const walls = coarseWalls(grid, top, materials.kind, shape);
  const out = new Float32Array(shape.size.reduce((a, b) => a * b) * 4);
  addSky(out, walls, shape);
  for (const lamp of findLamps(grid, top, materials, shape)) addLamp(out, walls, shape, lamp, strongest);
  return {...shape, data: out};
}

/** Share of light that passes a cell along x, y and z: 1 - the part of its cross section that is solid. */
function coarseWalls({cells, size: [nx, ny], row, layer}, top, kind, {side, margin, size: [cx, cy, cz]}) {
  const count = cx * cy * cz, pass = [0, 1, 2].map(() => new Float32Array(count).fill(1));
  const share = 1 / (side * side), lastZ = new Int32Array(nx * ny).fill(-1);
  for (let z = 0; z < top; z++) {
    const vz = z / side | 0, lastY = new Int32Array(nx).fill(-1);
    for (let y = 0; y < ny; y++) {
      const vy = y / side | 0, base = (vz * cy + vy + margin) * cx + margin;
      let at = (z + 1) * layer + (y + 1) * row + 1, lastX = -1;
      for (let x = 0; x < nx; x++, at++) {
        if (kind[cells[at]] !== SOLID) continue;
        const vx = x / side | 0, cell = base + vx;
        if (lastX !== vx) { lastX = vx; pass[0][cell] -= share; }
        if (lastY[x] !== vy) { lastY[x] = vy; pass[1][cell] -= share; }
        if (lastZ[y * nx + x] !== vz) { lastZ[y * nx + x] = vz; pass[2][cell] -= share; }
      }
    }
  }
  for (const axis of pass) for (let i = 0; i < count; i++) if (axis[i] < 1e-3) axis[i] = 0;
  return pass;
}

/** Sweep the sky's light down from above and in from the sides. */
function addSky(out, pass, {size: [cx, cy, cz]}) {
  const total = SKY_WAYS.reduce((sum, way) => sum + way[3], 0) + SIDE_WAYS.length * SIDE_WEIGHT;
  const light = new Float32Array(cx * cy * cz);
  for (const [dx, dy, , weight] of SKY_WAYS) {
    for (let z = cz - 1; z >= 0; z--)
      for (let y = 0; y < cy; y++)
        for (let x = 0, cell = (z * cy + y) * cx; x < cx; x++, cell++) {
          let arrives = 1;
          if (z + 1 < cz && x + dx >= 0 && x + dx < cx && y + dy >= 0 && y + dy < cy) {
            const from = cell + dx + dy * cx + cx * cy;
            arrives = light[from] * Math.min(pass[2][from], dx ? pass[0][from] : 1, dy ? pass[1][from] : 1);
          }
          light[cell] = arrives;
          out[cell * 4 + 3] += arrives * weight / total;
        }
  }
  for (const [dx, dy] of SIDE_WAYS) {
    const along = dx ? pass[0] : pass[1], step = dx + dy * cx;
    for (let z = 0; z < cz; z++)
      for (let j = 0; j < cy; j++)
        for (let i = 0; i < cx; i++) {
          const x = dx > 0 ? cx - 1 - i : i, y = dy > 0 ? cy - 1 - j : j, cell = (z * cy + y) * cx + x;
          const inside = x + dx >= 0 && x + dx < cx && y + dy >= 0 && y + dy < cy;
          light[cell] = inside ? light[cell + step] * along[cell + step] : 1;
          out[cell * 4 + 3] += light[cell] * SIDE_WEIGHT / total;
        }
  }
}

/** Gather glowing faces in clusters: position in voxels, red, green and blue intensity. */
function findLamps({cells, size: [nx, ny], row, layer}, top, {kind, glow, color}, {side}) {
  const steps = [1, -1, row, -row, layer, -layer];
  for (let box = Math.max(2, side); ; box *= 1.5) {
    const clusters = new Map();
    for (let z = 0; z < top; z++)
      for (let y = 0; y < ny; y++)
        for (let x = 0, at = (z + 1) * layer + (y + 1) * row + 1; x < nx; x++, at++) {
          const own = cells[at];
          if (!own || !glow[own]) continue;
          const faces = steps.reduce((sum, step) => sum + (kind[cells[at + step]] !== SOLID && cells[at + step] !== own), 0);
          if (!faces) continue;
          const key = ((z / box | 0) * 1024 + (y / box | 0)) * 1024 + (x / box | 0);
          const found = clusters.get(key) || {weight: 0, place: [0, 0, 0], light: [0, 0, 0]};
          found.weight += faces;
          [x, y, z].forEach((v, k) => { found.place[k] += (v + 0.5) * faces; });
          for (let k = 0; k < 3; k++) found.light[k] += color[own * 3 + k] * glow[own] * faces / 4;
          clusters.set(key, found);
        }
    if (clusters.size <= MOST_LAMPS)
      return [...clusters.values()].map(({place, light, weight}) => ({place: place.map(v => v / weight), light, area: weight / 4}));
  }
}

/** Spread one lamp's light: what reaches a cell came through its neighbours towards the lamp, by their share of the way. */
function addLamp(out, pass, {side, margin, size: [cx, cy, cz]}, {place, light, area}, strongest) {
  const home = [place[0] / side + margin | 0, place[1] / side + margin | 0, place[2] / side | 0];
  const reach = Math.sqrt(Math.max(...light) * strongest / FAINT) / side;
  const low = home.map(v => Math.max(0, Math.floor(v - reach)));
  const high = home.map((v, k) => Math.min([cx, cy, cz][k] - 1, Math.ceil(v + reach)));
  const size = high.map((v, k) => v - low[k] + 1), stepY = size[0], stepZ = size[0] * size[1];
  const arrives = new Float32Array(stepZ * size[2]);
  for (const sz of [1, -1]) for (const sy of [1, -1]) for (const sx of [1, -1])
    for (let z = home[2]; z >= low[2] && z <= high[2]; z += sz)
      for (let y = home[1]; y >= low[1] && y <= high[1]; y += sy)
        for (let x = home[0]; x >= low[0] && x <= high[0]; x += sx) {
          const dx = Math.abs(x - home[0]), dy = Math.abs(y - home[1]), dz = Math.abs(z - home[2]);
          if (!dx && sx < 0 || !dy && sy < 0 || !dz && sz < 0) continue; // done by the other side
          const own = (z - low[2]) * stepZ + (y - low[1]) * stepY + x - low[0], cell = (z * cy + y) * cx + x;
          let seen = 1;
          if (dx + dy + dz) {
            const near = dx + dy + dz === 1; // a lamp does not stand in its own light
            seen = 0;
            if (dx) seen += dx * arrives[own - sx] * (near ? 1 : pass[0][cell - sx]);
            if (dy) seen += dy * arrives[own - sy * stepY] * (near ? 1 : pass[1][cell - sy * cx]);
            if (dz) seen += dz * arrives[own - sz * stepZ] * (near ? 1 : pass[2][cell - sz * cx * cy]);
            seen /= dx + dy + dz;
          }
          arrives[own] = seen;
          const gain = seen / ((dx * dx + dy * dy + dz * dz) * side * side + area / 3 + side * side / 2);
          for (let k = 0; k < 3; k++) out[cell * 4 + k] += light[k] * gain;
        }
}
