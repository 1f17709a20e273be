// WebGL 2: programs, textures, and one frame: shadow map, sky, scene, ground, glass, bloom.
'use strict';

const WIDE = 4096, AT_ONCE = 1 << 17; // texels a row of the face texture; faces a draw call
const SHADOW_SIDE = 2048, SAMPLES = 4;
const PROGRAMS = { // name: vertex parts, fragment parts
  scene: [['face', 'scene.vert'], ['sky', 'lit', 'scene.frag']],
  shadow: [['face', 'shadow.vert'], ['shadow.frag']],
  sky: [['sky.vert'], ['sky', 'sky.frag']],
  ground: [['ground.vert'], ['sky', 'lit', 'ground.frag']],
  blur: [['sky.vert'], ['blur.frag']],
  finish: [['sky.vert'], ['finish.frag']],
};

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const along = (a, b, t) => a.map((v, k) => v + b[k] * t);
const unit = a => a.map(v => v / (Math.hypot(...a) || 1));

/** Column-major product of the projection's rows and a camera: clip = P * (axes * (p - eye)). */
function matrix(right, up, back, eye, {x, y, z, shift, perspective}) {
  const rows = [right.map(v => v * x), up.map(v => v * y), back.map(v => v * z), perspective ? back.map(v => -v) : [0, 0, 0]];
  const ends = rows.map((row, k) => -dot(row, eye) + [0, 0, shift, perspective ? 0 : 1][k]);
  return new Float32Array([0, 1, 2].flatMap(k => rows.map(row => row[k])).concat(ends));
}

function makeScreen(gl, shaderText) {
  const parts = Object.fromEntries(shaderText.split(/^#part /m).slice(1).map(part => {
    const end = part.indexOf('\n');
    return [part.slice(0, end).trim(), part.slice(end)];
  }));
  const programs = {};
  for (const [name, sides] of Object.entries(PROGRAMS)) programs[name] = link(gl, name, sides.map(side => '#version 300 es' + parts.common + side.map(part => parts[part]).join('')));
  gl.bindVertexArray(gl.createVertexArray());
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
  return {gl, programs, ...targets(gl)};
}

function link(gl, name, sources) {
  const program = gl.createProgram();
  sources.forEach((source, k) => {
    const shader = gl.createShader(k ? gl.FRAGMENT_SHADER : gl.VERTEX_SHADER);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  });
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS))
    throw Error(`shader ${name}: ` + gl.getAttachedShaders(program).map(s => gl.getShaderInfoLog(s)).join(' ') + gl.getProgramInfoLog(program));
  const uniforms = {};
  for (let i = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); i--;) {
    const info = gl.getActiveUniform(program, i);
    uniforms[info.name] = {at: gl.getUniformLocation(program, info.name), type: info.type};
  }
  return {program, uniforms};
}

/** Use a program and hand it what it asks for of some values; a texture comes as [unit, kind, texture]. */
function use({gl, programs}, name, values) {
  const {program, uniforms} = programs[name];
  gl.useProgram(program);
  for (const [key, {at, type}] of Object.entries(uniforms)) {
    const value = values[key];
    if (value === undefined) continue;
    if (type === gl.FLOAT) gl.uniform1f(at, value);
    else if (type === gl.INT) gl.uniform1i(at, value);
    else if (type === gl.FLOAT_VEC2) gl.uniform2fv(at, value);
    else if (type === gl.FLOAT_VEC3) gl.uniform3fv(at, value);
    else if (type === gl.FLOAT_MAT4) gl.uniformMatrix4fv(at, false, value);
    else {
      gl.activeTexture(gl.TEXTURE0 + value[0]);
      gl.bindTexture(value[1], value[2]);
      gl.uniform1i(at, value[0]);
    }
  }
  return uniforms;
}

function texture(gl, kind, filter, shrunk = filter) {
  const made = gl.createTexture();
  gl.bindTexture(kind, made);
  gl.texParameteri(kind, gl.TEXTURE_MAG_FILTER, filter);
  gl.texParameteri(kind, gl.TEXTURE_MIN_FILTER, shrunk);
  for (const way of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R]) gl.texParameteri(kind, way, gl.CLAMP_TO_EDGE);
  return made;
}

function targets(gl) {
  const shadow = texture(gl, gl.TEXTURE_2D, gl.LINEAR);
  gl.texStorage2D(gl.TEXTURE_2D, 1, gl.DEPTH_COMPONENT24, SHADOW_SIDE, SHADOW_SIDE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_COMPARE_MODE, gl.COMPARE_REF_TO_TEXTURE);
  const frames = {shadow: gl.createFramebuffer(), many: gl.createFramebuffer()};
  gl.bindFramebuffer(gl.FRAMEBUFFER, frames.shadow);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.TEXTURE_2D, shadow, 0);
  return {shadow, frames, size: [0, 0], buffers: []};
}

/** Make the buffers of a frame again where the canvas has another size. */
function fit(screen, width, height) {
  const {gl, frames} = screen;
  if (screen.size[0] === width && screen.size[1] === height) return;
  for (const {drop} of screen.buffers) drop();
  screen.size = [width, height];
  screen.buffers = [];
  gl.bindFramebuffer(gl.FRAMEBUFFER, frames.many);
  const samples = Math.min(SAMPLES, gl.getParameter(gl.MAX_SAMPLES));
  for (const [format, attachment] of [[gl.RGBA8, gl.COLOR_ATTACHMENT0], [gl.RGBA8, gl.COLOR_ATTACHMENT1], [gl.DEPTH_COMPONENT24, gl.DEPTH_ATTACHMENT]]) {
    const buffer = gl.createRenderbuffer();
    gl.bindRenderbuffer(gl.RENDERBUFFER, buffer);
    gl.renderbufferStorageMultisample(gl.RENDERBUFFER, samples, format, width, height);
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, attachment, gl.RENDERBUFFER, buffer);
    screen.buffers.push({drop: () => gl.deleteRenderbuffer(buffer)});
  }
  gl.drawBuffers([gl.COLOR_ATTACHMENT0, gl.COLOR_ATTACHMENT1]);
  const small = [Math.ceil(width / 4), Math.ceil(height / 4)];
  screen.image = target(screen, width, height, gl.LINEAR);
  screen.glow = target(screen, width, height, gl.LINEAR_MIPMAP_LINEAR);
  [screen.spare, screen.near, screen.wide] = [0, 1, 2].map(() => target(screen, ...small, gl.LINEAR));
}

function target(screen, width, height, shrunk) {
  const {gl} = screen, made = texture(gl, gl.TEXTURE_2D, gl.LINEAR, shrunk), frame = gl.createFramebuffer();
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
  gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, made, 0);
  screen.buffers.push({drop() { gl.deleteTexture(made); gl.deleteFramebuffer(frame); }});
  return {texture: made, frame, size: [width, height]};
}

/** Put lists of faces one after the other in a texture; `upto` and `base` then say what to draw of each. */
function upload(gl, lists, old) {
  if (old) gl.deleteTexture(old.texture);
  let count = 0;
  const groups = lists.map(({words, upto, direction}) => {
    const group = {base: count, upto, direction};
    count += words.length / 2;
    return group;
  });
  const rows = Math.max(1, Math.ceil(count / WIDE)), data = new Uint32Array(rows * WIDE * 2);
  lists.forEach(({words}, k) => data.set(words.data.subarray(0, words.length), groups[k].base * 2));
  const made = texture(gl, gl.TEXTURE_2D, gl.NEAREST);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RG32UI, WIDE, rows, 0, gl.RG_INTEGER, gl.UNSIGNED_INT, data);
  return {texture: made, groups, count};
}

/** Corners of up to AT_ONCE quads as triangles, made again where more are drawn. */
function ensureIndices(screen, faces) {
  const wanted = Math.min(AT_ONCE, faces);
  if ((screen.indexed || 0) >= wanted) return;
  const {gl} = screen, data = new Uint32Array(wanted * 6);
  for (let f = 0, k = 0; f < wanted; f++) for (const corner of [0, 1, 2, 2, 1, 3]) data[k++] = f * 4 + corner;
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, data, gl.STATIC_DRAW);
  screen.indexed = wanted;
}

/** Draw the faces of some lists below a layer that `shows` lets through. */
function drawFaces(screen, uniforms, parts, top, shows) {
  const {gl} = screen;
  for (const {texture: data, groups} of parts) {
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, data);
    gl.uniform1i(uniforms.faces.at, 0);
    for (const {base, upto, direction} of groups) {
      const count = upto[Math.min(top, upto.length - 1)];
      if (!count || direction !== undefined && !shows(direction)) continue;
      ensureIndices(screen, count);
      for (let start = 0; start < count; start += AT_ONCE) {
        gl.uniform1i(uniforms.base.at, base + start);
        gl.drawElements(gl.TRIANGLES, Math.min(AT_ONCE, count - start) * 6, gl.UNSIGNED_INT, 0);
      }
    }
  }
}

/** Draw what the sun sees; return what the shaders need to know of it. */
function drawShadow(screen, values, sun, size, top, solid) {
  const {gl} = screen, right = unit([sun[1] || 1e-6, -sun[0], 0]), up = cross(sun, right);
  const ends = [right, up, sun].map(axis => {
    const sums = [0, 1].flatMap(a => [0, 1].flatMap(b => [0, 1].map(c => dot(axis, [a * size[0], b * size[1], c * top]))));
    return [Math.min(...sums), Math.max(...sums)];
  });
  const half = ends.map(([low, high]) => (high - low) / 2 + 0.5), middle = ends.map(([low, high]) => (low + high) / 2);
  const eye = [0, 1, 2].map(k => right[k] * middle[0] + up[k] * middle[1] + sun[k] * (ends[2][1] + 1));
  const depth = half[2] * 2 + 2 + 5 * Math.max(size[0], size[1], top); // the ground's shadows too
  const to_shadow = matrix(right, up, sun, eye, {x: 1 / half[0], y: 1 / half[1], z: -2 / depth, shift: -1});
  gl.bindFramebuffer(gl.FRAMEBUFFER, screen.frames.shadow);
  gl.viewport(0, 0, SHADOW_SIDE, SHADOW_SIDE);
  gl.enable(gl.DEPTH_TEST);
  gl.clear(gl.DEPTH_BUFFER_BIT);
  drawFaces(screen, use(screen, 'shadow', {...values, to_screen: to_shadow}), solid, top, d => sun[d >> 1] * (d & 1 ? 1 : -1) > 0);
  return {to_shadow, shadow_texel: 2 * Math.max(half[0], half[1]) / SHADOW_SIDE, shadow_bias: 1 / depth};
}

/** Draw one frame. values: all uniforms; solid, clear: faces on the card; ground: whether it is seen. */
function drawFrame(screen, canvas, values, {solid, clear, top, shows, ground, bloom}) {
  const {gl, frames} = screen, [width, height] = screen.size;
  gl.bindFramebuffer(gl.FRAMEBUFFER, frames.many);
  gl.viewport(0, 0, width, height);
  gl.disable(gl.DEPTH_TEST);
  gl.disable(gl.BLEND);
  use(screen, 'sky', values);
  gl.drawArrays(gl.TRIANGLES, 0, 3);
  gl.enable(gl.DEPTH_TEST);
  gl.depthFunc(gl.LEQUAL);
  gl.clear(gl.DEPTH_BUFFER_BIT);
  drawFaces(screen, use(screen, 'scene', values), solid, top, shows);
  if (ground) {
    gl.depthMask(false);
    use(screen, 'ground', values);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.depthMask(true);
  }
  if (clear) { // from back to front
    gl.depthMask(false);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    drawFaces(screen, use(screen, 'scene', values), [clear], top, shows);
    gl.disable(gl.BLEND);
    gl.depthMask(true);
  }
  gl.disable(gl.DEPTH_TEST);
  gl.bindFramebuffer(gl.READ_FRAMEBUFFER, frames.many);
  for (const [k, into] of [screen.image, screen.glow].entries()) {
    if (k && !bloom) break;
    gl.readBuffer(gl.COLOR_ATTACHMENT0 + k);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, into.frame);
    gl.blitFramebuffer(0, 0, width, height, 0, 0, width, height, gl.COLOR_BUFFER_BIT, gl.NEAREST);
  }
  if (bloom) {
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, screen.glow.texture);
    gl.generateMipmap(gl.TEXTURE_2D);
    blur(screen, screen.glow, screen.near, 0.5);
    blur(screen, screen.near, screen.wide, Math.max(1, height / 480));
  }
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  gl.viewport(0, 0, width, height);
  use(screen, 'finish', {image: [0, gl.TEXTURE_2D, screen.image.texture], near_glow: [1, gl.TEXTURE_2D, screen.near.texture],
    wide_glow: [2, gl.TEXTURE_2D, screen.wide.texture], bloom});
  gl.drawArrays(gl.TRIANGLES, 0, 3);
}

function blur(screen, from, into, texels) {
  const {gl} = screen, [width, height] = into.size;
  gl.viewport(0, 0, width, height);
  for (const [source, goal, step_by] of [[from, screen.spare, [texels / width, 0]], [screen.spare, into, [0, texels / height]]]) {
    gl.bindFramebuffer(gl.FRAMEBUFFER, goal.frame);
    use(screen, 'blur', {image: [0, gl.TEXTURE_2D, source.texture], target: into.size, step_by});
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}
