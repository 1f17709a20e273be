// The page: unpacks the scene, keeps what the person chose, turns input into frames.
'use strict';

(async () => {
const $ = id => document.getElementById(id);
const scene = JSON.parse($('scene').textContent);
const canvas = $('canvas');
const gl = canvas.getContext('webgl2', {antialias: false, alpha: false, powerPreference: 'high-performance'});
if (!gl) throw Error('This browser shows no WebGL 2, which the scene needs. Try a current Firefox, Chrome or Safari, or turn on hardware acceleration.');
if (!window.DecompressionStream) throw Error('This browser is too old to unpack the scene. Try a current Firefox, Chrome or Safari.');

// --- the scene

const packed = fromBase85(scene.grid);
const plain = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'))).arrayBuffer();
const [nx, ny, nz] = scene.size, {rare, kinds: count} = scene;
const end = 2 * rare + 3 * count, cells = new Uint8Array(plain, end, nx * ny * nz);
const grid = padded(cells, new Uint16Array(plain, 0, rare), scene.size);
const kinds = readKinds(scene.materials, new Uint16Array(plain, 2 * rare, count), new Uint8Array(plain, end - count, count));
const points = outline(grid);

/** Bytes of the base85 of git and Python, with a dot for "<". */
function fromBase85(text) {
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;.=>?@^_`{|}~';
  const value = new Uint8Array(128), out = new Uint8Array(Math.ceil(text.length / 5) * 4);
  for (let i = 0; i < 85; i++) value[alphabet.charCodeAt(i)] = i;
  for (let i = 0, k = 0; i < text.length; i += 5) {
    let word = 0;
    for (let j = i; j < i + 5; j++) word = word * 85 + (j < text.length ? value[text.charCodeAt(j)] : 84);
    for (let shift = 24; shift >= 0; shift -= 8) out[k++] = word / 2 ** shift & 255;
  }
  return out.subarray(0, Math.floor(text.length * 4 / 5));
}

/** Kinds of cells, what differs in material or step. A material: red, green, blue, opacity, glow / 8, metal, in hexadecimal. */
function readKinds(text, looks, steps) {
  const count = looks.length, rows = Math.ceil((count + 1) / 256);
  const out = {kind: new Uint8Array(65536), look: new Uint16Array(65536), step: new Uint8Array(65536), glow: new Float32Array(65536),
    color: new Float32Array((count + 1) * 3), colors: new Uint8Array(rows * 1024), surfaces: new Uint8Array(rows * 1024), rows};
  for (let i = 1; i <= count; i++) {
    const look = out.look[i] = looks[i - 1], step = out.step[i] = steps[i - 1];
    const bytes = [0, 2, 4, 6, 8, 10].map(k => parseInt(text.substr((look - 1) * 12 + k, 2), 16));
    out.kind[i] = bytes[3] < 255 ? CLEAR : SOLID;
    out.glow[i] = bytes[4] / 255 * 8;
    for (let k = 0; k < 3; k++) out.color[i * 3 + k] = (bytes[k] / 255) ** 2.2;
    out.colors.set(bytes.slice(0, 4), i * 4);
    out.surfaces.set([bytes[4], bytes[5], step], i * 4);
  }
  return out;
}

/** Mean over all faces of a value of their material. */
function meanOfFaces(value) {
  let sum = 0, count = 0;
  for (const six of lists) for (const {words: {data, length}} of six)
    for (let i = 1; i < length; i += 2) { sum += value(data[i] & 65535); count++; }
  return count ? sum / count : 0;
}

// --- on the card

const screen = makeScreen(gl, new TextDecoder().decode(new Uint8Array(plain, end + cells.length)));
const lists = findFaces(grid, kinds);
const brightness = meanOfFaces(i => kinds.glow[i] * Math.max(...kinds.color.subarray(i * 3, i * 3 + 3)));
const paint = [0, 1, 2].map(k => 0.92 * meanOfFaces(i => kinds.color[i * 3 + k])); // what the scene throws back
const glowing = glowingFaces(lists, kinds);
const solid = upload(gl, lists[0].map((list, direction) => ({...list, direction})));
const clear = lists[1].map(list => list.words).filter(words => words.length); // sorted for each view
lists.length = 0;
let caps = {clear: []}; // what closes a cut, or the step that is built
let plan = null; // of the build-up: passing faces, and the first and last layer of each step
let sorted = null, sorted_for = '';
const textures = {};
for (const name of ['colors', 'surfaces']) {
  textures[name] = [{colors: 1, surfaces: 2}[name], gl.TEXTURE_2D, texture(gl, gl.TEXTURE_2D, gl.NEAREST)];
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 256, kinds.rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, kinds[name]);
}
textures.shadow_map = [3, gl.TEXTURE_2D, screen.shadow];
textures.volume = [4, gl.TEXTURE_3D, texture(gl, gl.TEXTURE_3D, gl.LINEAR)];

let volume;

function lightUp() {
  const strongest = Math.max(...Object.values(scene.lights).map(lampGain));
  const {data, size, side, margin} = lightVolume(grid, state.top, kinds.kind, glowing, strongest);
  gl.activeTexture(gl.TEXTURE4);
  gl.bindTexture(gl.TEXTURE_3D, textures.volume[2]);
  gl.texImage3D(gl.TEXTURE_3D, 0, gl.RGBA16F, ...size, 0, gl.RGBA, gl.FLOAT, data);
  volume = {volume_size: size.map(v => v * side), volume_low: [-margin * side, -margin * side, 0], volume_side: side};
}

/** Exposed light of a lamp of strength 1: less where much glows, as if the eye adapted. */
function lampGain(light) { return light.glow / light.exposure / (1 + 14 * brightness); }

// --- what the person sees and chose

const HALF = Math.tan(14 * Math.PI / 180); // of the picture's height at distance 1
const LIGHTS = Object.keys(scene.lights);
const home = {...scene.view, top: nz, light: scene.light, edges: false, spin: false};
const state = {...home, target: [nx / 2, ny / 2, nz / 2], distance: 1, moved: false};
let dirty = true, shadow = null, last = 0, coast = [0, 0], relight = 0;
let built = null, rising = false; // how many steps stand, null for all; whether they grow
const still = matchMedia('(prefers-reduced-motion: reduce)').matches;

function axes() {
  const a = state.azimuth * Math.PI / 180, e = state.elevation * Math.PI / 180;
  const back = [Math.cos(e) * Math.sin(a), -Math.cos(e) * Math.cos(a), Math.sin(e)], right = [Math.cos(a), Math.sin(a), 0];
  return {back, right, up: cross(back, right)};
}

/** Stand where the scene fills 90 % of the frame in the direction that limits it, as camera.py does. */
function frameScene() {
  const {back, right, up} = axes(), aspect = canvas.width / canvas.height || 1;
  const tall = HALF * 0.9, wide = tall * aspect, center = [nx / 2, ny / 2, nz / 2];
  const most = [-Infinity, -Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 3) {
    const p = [points[i] - center[0], points[i + 1] - center[1], points[i + 2] - center[2]];
    const x = dot(p, right), y = dot(p, up), z = dot(p, back);
    most[0] = Math.max(most[0], x + wide * z); most[1] = Math.max(most[1], wide * z - x);
    most[2] = Math.max(most[2], y + tall * z); most[3] = Math.max(most[3], tall * z - y);
  }
  const below = document.documentElement.classList.contains('bare') ? 0 : $('bar').offsetHeight / canvas.clientHeight || 0;
  state.distance = Math.max((most[0] + most[1]) / (2 * wide), (most[2] + most[3]) / (2 * tall) / (1 - below));
  state.target = along(along(center, right, (most[0] - most[1]) / 2), up, (most[2] - most[3]) / 2 - HALF * below * state.distance / state.zoom);
}

function frame(now) {
  const elapsed = Math.min(1, (now - last) / 1000), seconds = Math.min(0.1, elapsed);
  last = now;
  if (state.spin) turn(seconds * 24, 0);
  if (Math.abs(coast[0]) + Math.abs(coast[1]) > 0.02 && !fingers.size) { turn(...coast); coast = coast.map(v => v * 0.88); }
  if (rising) grow(elapsed); // which ends in time on slow machines too
  if (relight && now > relight) { relight = 0; lightUp(); dirty = true; }
  if (dirty) draw();
  requestAnimationFrame(frame);
}

function draw() {
  dirty = false;
  const scale = Math.min(window.devicePixelRatio || 1, 2);
  const width = Math.max(1, Math.round(canvas.clientWidth * scale)), height = Math.max(1, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
    if (!state.moved) frameScene();
  }
  fit(screen, width, height);
  const light = scene.lights[state.light], {top} = state, growth = growthOf();
  const opaque = [solid, caps.solid, ...(growth.rises ? [plan.solid] : [])];
  if (!shadow) shadow = drawShadow(screen, {...growth, ...textures}, light.sun, scene.size, top, opaque);
  const {back, right, up} = axes(), eye = along(state.target, back, state.distance);
  const reach = Math.hypot(nx, ny, nz) * 3, half = HALF / state.zoom;
  const near = Math.max(0.3, state.distance - reach), far = state.distance + reach * 2;
  const open = [0, 1, 2].map(k => Math.max(1e-3, Math.PI * (light.horizon[k] * 0.2 + light.zenith[k] * 0.8) + light.sun_light[k] * Math.max(light.sun[2], 0)));
  const tall = nz * Math.hypot(light.sun[0], light.sun[1]) / Math.max(light.sun[2], 0.2), wide = Math.max(nx, ny);
  const values = {...light, scene_size: scene.size, ...volume, ...shadow, ...textures, ...growth, eye, frame: [width, height], edges: +state.edges,
    softness: Math.min(4, Math.max(0.35, light.radius * 14)), lamp_gain: lampGain(light), open_light: open,
    bounce: open.map((v, k) => v * paint[k] * 0.12),
    square: [nx / 2, ny / 2, wide / 2 + Math.min(1.6 * wide + 20, Math.max(0.6 * wide, 1.15 * tall))],
    to_screen: matrix(right, up, back, eye, {x: height / width / half, y: 1 / half, z: -(far + near) / (far - near),
      shift: -2 * far * near / (far - near), perspective: true})};
  const shows = d => d & 1 ? eye[d >> 1] > 0 : eye[d >> 1] < scene.size[d >> 1];
  drawFrame(screen, canvas, values, {solid: opaque, clear: sortClear(eye, growth.rises), top, shows, ground: eye[2] > 0 && back[2] > 0.02, bloom: glowing.length ? light.bloom : 0});
  const {dataset} = document.documentElement; // for whoever tests the page
  dataset.frames = +(dataset.frames || 0) + 1;
}

/** What the shaders need to know of a build-up. */
function growthOf() {
  if (built === null) return {step_now: 256, layer_now: 0, rises: false};
  const step = Math.min(1 + Math.floor(built), scene.steps), low = plan.low[step];
  return {step_now: step, layer_now: low + Math.floor((built - step + 1) * (plan.high[step] - low + 1)), rises: true};
}

/** Put clear faces in order where the eye went to another cell. */
function sortClear(eye, rises) {
  const sources = [...clear, caps.clear, ...(rises ? [plan.clear] : [])];
  if (!sources.some(words => words.length)) return null;
  const cell = eye.map((v, k) => Math.max(-1, Math.min(scene.size[k], Math.floor(v)))), key = [cell, state.top, rises].join();
  if (key !== sorted_for) {
    const words = backToFront(sources, scene.size, cell, state.top);
    sorted = upload(gl, [{words, upto: [words.length / 2]}], sorted);
    sorted_for = key;
  }
  return sorted;
}

function turn(azimuth, elevation) {
  state.azimuth += azimuth;
  state.elevation = Math.max(-85, Math.min(90, state.elevation + elevation));
  state.moved = dirty = true;
}

function zoom(factor) {
  const size = Math.hypot(nx, ny, nz);
  state.distance = Math.max(size * 0.1, Math.min(size * 12, state.distance * factor));
  state.moved = dirty = true;
}

function pan(x, y) {
  const {right, up} = axes(), step = 2 * state.distance * HALF / state.zoom / canvas.clientHeight;
  state.target = along(along(state.target, right, -x * step), up, y * step);
  state.moved = dirty = true;
}

function cut(top) {
  built = null;
  rising = false;
  press('build', false);
  state.top = Math.max(1, Math.min(nz, Math.round(top)));
  cap(state.top);
  $('layers').value = state.top;
  relight = last + 150; // once the slider rests
}

/** Close what is cut below a layer, or the one step that is built up to there. */
function cap(top, step) {
  const [solids, clears] = capFaces(grid, kinds, top, step);
  caps = {solid: upload(gl, [{words: solids, upto: [solids.length / 2], direction: 5}], caps.solid), clear: clears};
  sorted_for = '';
  shadow = null;
  dirty = true;
}

function choose(light) {
  if (!LIGHTS.includes(light)) return;
  state.light = light;
  $('light').value = light;
  const [r, g, b] = scene.lights[light].top_color;
  document.documentElement.classList.toggle('dark-sky', 0.21 * r + 0.72 * g + 0.07 * b < 0.4);
  shadow = null;
  dirty = true;
}

/** Show the first steps, and of the one after them a share from below. */
function raise(steps) {
  if (!plan) {
    const {lists: [solids, clears], low, high} = passingFaces(grid, kinds);
    plan = {solid: upload(gl, [{words: solids, upto: [solids.length / 2]}]), clear: clears, low, high};
  }
  if (built === null) cut(nz);
  const {step_now, layer_now} = growthOf();
  built = Math.max(0, steps);
  const now = growthOf();
  if (now.step_now !== step_now || now.layer_now !== layer_now) cap(now.layer_now, now.step_now);
}

function grow(seconds) {
  const whole = scene.steps > 1 ? Math.max(4, Math.min(9, scene.steps / 8)) : Math.min(4, nz / 8); // seconds
  raise(built + seconds * scene.steps / whole);
  if (built >= scene.steps) cut(nz);
}

function press(id, on) { $(id).setAttribute('aria-pressed', on); }

const acts = {
  spin() { state.spin = !state.spin; press('spin', state.spin); },
  edges() { state.edges = !state.edges; press('edges', state.edges); dirty = true; },
  build() { if (rising) cut(nz); else { raise(0); rising = true; press('build', true); } },
  save() {
    draw(); // the picture is only there until the browser has shown it
    canvas.toBlob(blob => {
      const link = document.createElement('a');
      link.href = URL.createObjectURL(blob);
      link.download = (scene.title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '').slice(0, 60) || 'scene') + '.png';
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });
  },
  home() { Object.assign(state, home, {moved: false}); coast = [0, 0]; for (const id of ['spin', 'edges']) press(id, false); cut(nz); choose(home.light); frameScene(); },
  full() { if (document.fullscreenElement) document.exitFullscreen(); else document.documentElement.requestFullscreen().catch(() => {}); },
  help() { $('keys').hidden = !$('keys').hidden; press('help', !$('keys').hidden); },
};

// --- input

const fingers = new Map();
canvas.addEventListener('pointerdown', event => {
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
  coast = [0, 0];
});
for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, event => fingers.delete(event.pointerId));
canvas.addEventListener('pointermove', event => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const x = event.clientX - before[0], y = event.clientY - before[1];
  const spread = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
  const gap = fingers.size === 2 ? spread() : 0;
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
  if (gap) { zoom(gap / Math.max(spread(), 1)); pan(x / 2, y / 2); } else if (event.buttons & 6 || event.shiftKey) pan(x, y);
  else { coast = still ? [0, 0] : [-x * 0.35, y * 0.35]; turn(-x * 0.35, y * 0.35); }
});
canvas.addEventListener('wheel', event => {
  event.preventDefault();
  zoom(Math.exp(event.deltaY * (event.deltaMode ? 0.04 : 0.0012)));
}, {passive: false});
canvas.addEventListener('contextmenu', event => event.preventDefault());
canvas.addEventListener('dblclick', acts.home);
const keys = {
  ' ': acts.spin, e: acts.edges, b: acts.build, s: acts.save, h: acts.home, f: acts.full, '?': acts.help,
  l: () => choose(LIGHTS[(LIGHTS.indexOf(state.light) + 1) % LIGHTS.length]),
  '[': () => cut(state.top - 1), ']': () => cut(state.top + 1), '+': () => zoom(0.9), '=': () => zoom(0.9), '-': () => zoom(1.1),
  ArrowLeft: () => turn(-5, 0), ArrowRight: () => turn(5, 0), ArrowUp: () => turn(0, 5), ArrowDown: () => turn(0, -5),
};
addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.startsWith('Arrow') && event.target !== canvas && event.target !== document.body) return; // the slider's own
  if (event.key === ' ' && event.target.tagName === 'BUTTON') return;
  const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (act) { event.preventDefault(); act(); }
});
for (const button of document.querySelectorAll('#bar button')) button.addEventListener('click', () => acts[button.id]());
$('light').append(...LIGHTS.map(name => new Option(name, name)));
$('light').addEventListener('change', event => { choose(event.target.value); canvas.focus(); });
$('layers').max = nz;
$('layers').addEventListener('input', event => cut(+event.target.value));
$('full').hidden = !document.fullscreenEnabled;
canvas.addEventListener('webglcontextlost', event => { event.preventDefault(); location.reload(); });
new ResizeObserver(() => { dirty = true; }).observe(canvas);

/** #light=night&view=30,26,1&layers=20&built=0.5&edges&spin&bare: a page that opens as told. */
function follow(hash) {
  const wish = new URLSearchParams(hash.slice(1));
  const view = (wish.get('view') || '').split(',').map(Number);
  if (view.length > 1 && view.every(Number.isFinite)) Object.assign(home, {azimuth: view[0], elevation: view[1], zoom: view[2] || 1});
  document.documentElement.classList.toggle('bare', wish.has('bare'));
  acts.home();
  choose(wish.get('light'));
  if (wish.has('layers')) cut(+wish.get('layers') || nz);
  if (wish.has('built')) raise((+wish.get('built') || 0) * scene.steps);
  if (wish.has('edges')) acts.edges();
  if (wish.has('spin')) acts.spin();
}

follow(location.hash);
addEventListener('hashchange', () => follow(location.hash));
lightUp();
relight = 0;
draw();
$('message').remove();
requestAnimationFrame(frame);
})().catch(error => {
  const message = document.getElementById('message');
  message.textContent = error.message;
  message.classList.add('failed');
});
