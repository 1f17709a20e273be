// Soft light in a coarse volume around the scene: how much sky each place sees, and what lamps shine there.
// Sun and corners are sharper than that; the shaders have a shadow map and the corners of each face for them.
'use strict';

const MOST_CELLS = 240000, MOST_LAMPS = 140, FAINT = 0.015;
const SKY_WAYS = [[0, 0, 1, 1], ...[-1, 1].flatMap(a => [[a, 0, 1, 0.75], [0, a, 1, 0.75]]),
  ...[-1, 1].flatMap(a => [-1, 1].map(b => [a, b, 1, 0.6]))];
const SIDE_WAYS = [[1, 0], [-1, 0], [0, 1], [0, -1]], SIDE_WEIGHT = 0.4;

/** Light volume of the layers below `top`: RGB lamp light of unit strength, A the share of sky seen. */
function lightVolume(grid, top, kind, glowing, strongest) {
  const [nx, ny] = grid.size, wide = Math.max(nx, ny);
  let side = 1, shape;
  for (;; side++) {
    const margin = Math.ceil(0.3 * wide / side);
    shape = {side, margin, size: [Math.ceil(nx / side) + 2 * margin, Math.ceil(ny / side) + 2 * margin, Math.ceil(top / side) + 2]};
    if (shape.size.reduce((a, b) => a * b) <= MOST_CELLS) break;
  }
  const walls = coarseWalls(grid, top, kind, shape);
  const out = new Float32Array(shape.size.reduce((a, b) => a * b) * 4);
  addSky(out, walls, shape);
  for (const lamp of findLamps(glowing, top)) addLamp(out, walls, shape, lamp, strongest);
  return {...shape, data: out};
}

/** Share of light that passes a cell along x, y and z: 1 - the part of its cross section that is solid. */
function coarseWalls({cells, size: [nx, ny], row, layer}, top, kind, {side, margin, size: [cx, cy, cz]}) {
  const count = cx * cy * cz, pass = [0, 1, 2].map(() => new Float32Array(count).fill(1));
  const share = 1 / (side * side), lastZ = new Int32Array(nx * ny).fill(-1), [passX, passY, passZ] = pass;
  const column = Int32Array.from({length: nx}, (_, x) => x / side | 0);
  for (let z = 0; z < top; z++) {
    const vz = z / side | 0, lastY = new Int32Array(nx).fill(-1);
    for (let y = 0; y < ny; y++) {
      const vy = y / side | 0, base = (vz * cy + vy + margin) * cx + margin;
      let at = (z + 1) * layer + (y + 1) * row + 1, lastX = -1;
      for (let x = 0; x < nx; x++, at++) {
        if (!cells[at] || kind[cells[at]] !== SOLID) continue;
        const vx = column[x], cell = base + vx;
        if (lastX !== vx) { lastX = vx; passX[cell] -= share; }
        if (lastY[x] !== vy) { lastY[x] = vy; passY[cell] -= share; }
        if (lastZ[y * nx + x] !== vz) { lastZ[y * nx + x] = vz; passZ[cell] -= share; }
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

/** Glowing faces of lists of faces, flat: the middle of the cell before each, its red, green and blue radiance. */
function glowingFaces(lists, {glow, color}) {
  const out = [];
  for (const six of lists) for (const [direction, {words: {data, length}}] of six.entries())
    for (let i = 0; i < length; i += 2) {
      const own = data[i + 1] & 65535, place = data[i];
      if (!glow[own]) continue;
      const before = [place & 1023, place >>> 10 & 1023, place >>> 20].map(v => v + 0.5);
      before[direction >> 1] += direction & 1 ? 1 : -1;
      out.push(...before, ...[0, 1, 2].map(k => color[own * 3 + k] * glow[own]));
    }
  return out;
}

/** Gather glowing faces in clusters: where the most central one shines, red, green and blue intensity, size. */
function findLamps(glowing, top) {
  for (let box = 2; ; box *= 1.5) {
    const clusters = new Map();
    for (let i = 0; i < glowing.length; i += 6) {
      if (glowing[i + 2] > top) continue;
      const key = [0, 1, 2].reduce((sum, k) => sum * 1024 + (glowing[i + k] / box + 1 | 0), 0);
      let found = clusters.get(key);
      if (!found) clusters.set(key, found = {faces: [], sum: [0, 0, 0], light: [0, 0, 0]});
      found.faces.push(i);
      for (let k = 0; k < 3; k++) { found.sum[k] += glowing[i + k]; found.light[k] += glowing[i + 3 + k] / 4; }
    }
    if (clusters.size > MOST_LAMPS) continue;
    return [...clusters.values()].map(({faces, sum, light}) => {
      const off = i => sum.reduce((total, v, k) => total + (glowing[i + k] - v / faces.length) ** 2, 0);
      const middle = faces.reduce((best, i) => off(i) < off(best) ? i : best);
      return {place: glowing.slice(middle, middle + 3), light, area: faces.length / 4};
    });
  }
}

/** Spread one lamp's light: what reaches a cell came through its neighbours towards the lamp, by their share of the way. */
function addLamp(out, [passX, passY, passZ], {side, margin, size: [cx, cy, cz]}, {place, light: [red, green, blue], area}, strongest) {
  const hx = place[0] / side + margin | 0, hy = place[1] / side + margin | 0, hz = Math.max(0, Math.min(cz - 1, place[2] / side | 0));
  const reach = Math.sqrt(Math.max(red, green, blue) * strongest / FAINT) / side, most = Math.max(1, Math.ceil(reach));
  const width = 2 * most + 1, layer = width * width, arrives = new Float32Array(layer * width);
  const soft = (area / 3 + side * side / 2) / (side * side), end = (reach + 1) ** 2;
  for (const sz of [1, -1]) for (const sy of [1, -1]) for (const sx of [1, -1]) // an octant each, from the lamp outwards
    for (let dz = sz < 0 ? 1 : 0, z = hz + dz * sz; dz <= most && z >= 0 && z < cz; dz++, z += sz)
      for (let dy = sy < 0 ? 1 : 0, y = hy + dy * sy; dy <= most && y >= 0 && y < cy; dy++, y += sy) {
        const flat = dy + dz, square = dy * dy + dz * dz;
        if (square > end) break;
        const first = sx < 0 ? 1 : 0;
        let own = (dz * sz + most) * layer + (dy * sy + most) * width + first * sx + most, cell = (z * cy + y) * cx + hx + first * sx;
        for (let dx = first, x = hx + first * sx; dx <= most && x >= 0 && x < cx; dx++, x += sx, own += sx, cell += sx) {
          const far = square + dx * dx;
          if (far > end) break;
          let seen = 1;
          if (dx + flat > 1) {
            seen = 0;
            if (dx) seen += dx * arrives[own - sx] * passX[cell - sx];
            if (dy) seen += dy * arrives[own - sy * width] * passY[cell - sy * cx];
            if (dz) seen += dz * arrives[own - sz * layer] * passZ[cell - sz * cx * cy];
            seen /= dx + flat;
          } // else a lamp does not stand in its own light
          arrives[own] = seen;
          if (seen < 1e-3) continue;
          const gain = seen * (1 - far / end) ** 2 / ((far + soft) * side * side);
          out[cell * 4] += red * gain;
          out[cell * 4 + 1] += green * gain;
          out[cell * 4 + 2] += blue * gain;
        }
      }
}
