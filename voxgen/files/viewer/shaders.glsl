#part common
precision highp float;
precision highp int;
precision highp sampler2DShadow;
precision highp sampler3D;
const float PI = 3.14159265;

#part sky
// The light as the pictures have it: see sky.py and tone.py. Radiances are linear.
uniform vec3 sun, sun_light, zenith, horizon, ground, open_light, bounce;
uniform vec3 top_color, bottom_color; // of the background, sRGB
uniform float exposure, softness, stars, lamp_gain;
uniform vec2 frame; // pixels

vec3 sky(vec3 way) {
  vec3 above = mix(horizon, zenith, sqrt(clamp(way.z, 0.0, 1.0)));
  return mix(ground, above, clamp(way.z / 0.06 + 0.5, 0.0, 1.0));
}

vec3 sky_irradiance(vec3 n) {
  vec3 up = mix(horizon, zenith, 0.8), side = 0.5 * (mix(horizon, zenith, 0.5) + ground);
  return PI * (n.z > 0.0 ? mix(side, up, n.z) : mix(side, ground, -n.z));
}

vec3 tone_map(vec3 light) {
  vec3 x = max(light * exposure, 0.0);
  float grey = dot(x, vec3(0.2126, 0.7152, 0.0722));
  x = max(grey + 1.04 * (x - grey), 0.0);
  x = 0.85 * x + 0.05 * (x.r + x.g + x.b);
  x = mix(x, 1.0 - 0.4 * exp((0.6 - max(x, 0.6)) / 0.4), step(0.6, x));
  x = clamp((x - 0.05 * (x.r + x.g + x.b)) / 0.85, 0.0, 1.0);
  return mix(1.055 * pow(x, vec3(1.0 / 2.4)) - 0.055, x * 12.92, step(x, vec3(0.0031308)));
}

vec3 background(vec2 pixel) {
  vec2 at = vec2(pixel.x / frame.x - 0.5, 1.0 - pixel.y / frame.y);
  float distance = (at.x * at.x * 1.1 + (at.y - 0.45) * (at.y - 0.45)) / 0.6;
  vec3 color = mix(top_color, bottom_color, smoothstep(0.0, 1.0, at.y)) * (1.03 - 0.13 * min(distance, 1.5));
  return min(color, 1.0);
}

float star(vec2 pixel) {
  vec2 cell = floor(pixel / 60.0);
  vec4 r = fract(sin(dot(cell, vec2(127.1, 311.7)) + vec4(0.0, 1.7, 3.1, 5.3)) * 43758.5453);
  float size = max(1.0, frame.y / 700.0);
  vec2 off = abs(pixel - (cell + r.xy) * 60.0);
  float height = pixel.y / frame.y;
  return step(max(off.x, off.y), 0.5 * size) * step(r.z, height) * (pow(r.w, 4.0) * 0.85 + 0.08) * height;
}

#part lit
uniform sampler2DShadow shadow_map;
uniform mat4 to_shadow;
uniform float shadow_texel, shadow_bias; // in voxels; in depth for one voxel
uniform sampler3D volume;
uniform vec3 volume_size, volume_low, scene_size; // in voxels
uniform float volume_side;

float sunlight(vec3 place, vec3 n, float radius, int taps) { // radius of the penumbra in voxels
  float facing = dot(n, sun);
  if (facing <= 0.0) return 0.0;
  vec3 p = place + n * (0.6 * shadow_texel + 0.02);
  vec3 at = (to_shadow * vec4(p, 1.0)).xyz * 0.5 + 0.5;
  if (any(lessThan(at, vec3(0.0))) || any(greaterThan(at, vec3(1.0)))) return facing;
  float lit = 0.0;
  float slope = shadow_bias * (0.3 + radius * 0.6 * min(sqrt(1.0 - facing * facing) / facing, 4.0));
  float scale = length(vec3(to_shadow[0][0], to_shadow[1][0], to_shadow[2][0])) * 0.5; // of a voxel in the map
  float scale_y = length(vec3(to_shadow[0][1], to_shadow[1][1], to_shadow[2][1])) * 0.5;
  for (int i = 0; i < taps; i++) { // a Vogel disk
    float r = sqrt((float(i) + 0.5) / float(taps)), a = float(i) * 2.39996;
    lit += texture(shadow_map, vec3(at.xy + r * radius * vec2(cos(a) * scale, sin(a) * scale_y), at.z - slope));
  }
  return facing * lit / float(taps);
}

// lamp light and share of sky at a place
vec4 soft_light(vec3 place) {
  vec3 at = (place - volume_low) / volume_size;
  vec4 found = texture(volume, clamp(at, 0.0, 1.0));
  vec3 edge = min(at, 1.0 - at) * volume_size / volume_side;
  float inside = smoothstep(0.0, 6.0, min(edge.x, edge.y));
  return mix(vec4(0.0, 0.0, 0.0, 1.0), found, inside);
}

#part face
// Vertices of quads out of their two words; see mesh.js.
uniform highp usampler2D faces;
uniform highp sampler2D surfaces; // glow / 8, metal, step
uniform int base, step_now, layer_now; // of a build-up: what stands of which step
struct Face { vec3 place, normal; vec2 corner; ivec2 kind; vec4 open; vec2 surface; float depth, passes; bool stands; };

bool stands(uint step, int z) { return int(step) < step_now || int(step) == step_now && z < layer_now; }

Face face() {
  int index = base + (gl_VertexID >> 2), which = gl_VertexID & 3;
  uvec2 words = texelFetch(faces, ivec2(index & 4095, index >> 12), 0).rg;
  uint direction = words.y >> 16u & 7u;
  int axis = int(direction >> 1u);
  bool positive = (direction & 1u) == 1u;
  vec2 corner = vec2(which & 1, which >> 1);
  if (!positive) corner = corner.yx;
  Face f;
  f.place = vec3(words.x & 1023u, words.x >> 10u & 1023u, words.x >> 20u & 1023u);
  f.normal = vec3(0.0);
  f.normal[axis] = positive ? 1.0 : -1.0;
  if (positive) f.place[axis] += 1.0;
  f.place[(axis + 1) % 3] += corner.x;
  f.place[(axis + 2) % 3] += corner.y;
  f.corner = corner;
  f.kind = ivec2(words.y & 255u, words.y >> 8u & 255u);
  vec3 surface = texelFetch(surfaces, f.kind, 0).rgb;
  f.surface = surface.rg * vec2(8.0, 1.0);
  f.open = vec4(words.y >> 19u & 3u, words.y >> 21u & 3u, words.y >> 23u & 3u, words.y >> 25u & 3u) / 3.0;
  f.depth = float(words.y >> 27u & 15u);
  f.passes = float(words.y >> 31u);
  int z = int(words.x >> 20u & 1023u);
  f.stands = stands(uint(surface.b * 255.0 + 0.5), z);
  if (f.passes > 0.0) { // until the cell before it stands
    f.stands = f.stands && !stands(words.y >> 19u & 255u, z + int(f.normal.z));
    f.open = vec4(1.0);
  }
  return f;
}

#part scene.vert
uniform mat4 to_screen;
uniform sampler2D colors;
out vec3 place;
out vec2 corner;
flat out vec3 normal;
flat out vec4 color, open;
flat out vec4 surface; // glow, metal, depth of water, whether it passes
void main() {
  Face f = face();
  color = texelFetch(colors, f.kind, 0);
  color.rgb = mix(color.rgb / 12.92, pow((color.rgb + 0.055) / 1.055, vec3(2.4)), step(0.04045, color.rgb));
  surface = vec4(f.surface, f.depth, f.passes);
  place = f.place;
  normal = f.normal;
  corner = f.corner;
  open = f.open;
  gl_Position = f.stands ? to_screen * vec4(place, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
}

#part scene.frag
in vec3 place;
in vec2 corner;
flat in vec3 normal;
flat in vec4 color, open;
flat in vec4 surface;
uniform vec3 eye;
uniform float edges;
layout(location = 0) out vec4 seen;
layout(location = 1) out vec4 glowing;

// small waves on still water, as a tilt of its normal
vec3 ripple(vec2 at) {
  vec2 wave = vec2(sin(at.x * 2.1 + 1.3 * sin(at.y * 0.9)) + 0.6 * sin(at.y * 3.7 + at.x),
                   cos(at.y * 1.9 + 1.1 * sin(at.x * 1.3)) + 0.6 * sin(at.x * 4.1 - at.y * 0.7));
  return normalize(vec3(0.022 * wave, 1.0));
}

void main() {
  vec3 way = normalize(place - eye), albedo = color.rgb * 0.92;
  float crease = mix(mix(open.x, open.y, corner.x), mix(open.z, open.w, corner.x), corner.y);
  float reach = max(0.75 * volume_side, 0.8);
  vec4 soft = soft_light(place + normal * reach);
  soft = mix(soft, vec4(0.0, 0.0, 0.0, 1.0), surface.w); // nothing is before it yet
  float usual = normal.z > 0.5 ? 1.0 : normal.z < -0.5 ? 0.3 : 0.62; // of the sky, on a free wall
  float sees = min(soft.a / usual, 1.0) * mix(0.62, 1.0, crease);
  vec3 light = sky_irradiance(normal) * sees + PI * bounce * (1.0 - sees) * mix(0.55, 1.0, crease);
  light += sun_light * sunlight(place, normal, softness, 12);
  vec3 beyond = soft_light(place + normal * (reach + 2.0 * volume_side)).rgb; // brighter where lamps are before the face
  float near_by = dot(soft.rgb, vec3(1.0)), farther = dot(beyond, vec3(1.0));
  float turned = clamp(0.5 + 1.2 * (farther - near_by) / (farther + near_by + 1e-4), 0.08, 1.0);
  light += soft.rgb * lamp_gain * 1.3 * turned * mix(0.5, 1.0, crease) * max(1.0 - surface.x, 0.0); // lamps do not light themselves
  vec3 shown = color.rgb * 1.5 * (1.0 - exp(-1.2 * surface.x)) / exposure;
  vec3 radiance = albedo * light / PI + shown;
  float alpha = 1.0;
  if (color.a < 0.999) {
    vec3 n = normal.z > 0.5 ? ripple(place.xy) : normal;
    vec3 mirror = reflect(way, n);
    float facing = clamp(-dot(way, n), 0.0, 1.0);
    float fresnel = 0.02 + 0.98 * pow(1.0 - facing, 5.0);
    vec3 reflected = sky(mirror) * min(soft.a * 1.2, 1.0) + soft.rgb * lamp_gain * 0.2;
    reflected += sun_light * 4.0 * smoothstep(0.9985, 0.9998, dot(mirror, sun));
    float through = min(surface.z / max(facing, 0.35), 8.0);
    float cover = 1.0 - pow(1.0 - min(color.a, 0.98), 0.45 + 0.55 * through);
    alpha = 1.0 - (1.0 - fresnel) * (1.0 - cover);
    radiance = (fresnel * reflected + (1.0 - fresnel) * cover * radiance) / max(alpha, 1e-3);
  } else if (surface.y > 0.0) {
    vec3 mirror = reflect(way, normal);
    vec3 tint = mix(color.rgb, vec3(1.0), pow(1.0 - clamp(-dot(way, normal), 0.0, 1.0), 5.0));
    vec3 reflected = mix(bounce, sky(mirror), sees) + soft.rgb * lamp_gain * 0.2;
    radiance = mix(radiance, reflected * tint, 0.6 * surface.y);
  }
  vec2 size = fwidth(corner);
  vec2 border = min(corner, 1.0 - corner);
  if (edges > 0.0) {
    vec2 line = border / size;
    radiance *= 1.0 - 0.6 * edges * (1.0 - smoothstep(0.5, 1.5, min(line.x, line.y)));
  }
  float seam = 0.14 * clamp((1.0 / max(size.x, size.y) - 7.0) / 12.0, 0.0, 1.0);
  radiance *= 1.0 - seam * (1.0 - smoothstep(0.015, 0.045, min(border.x, border.y)));
  seen = vec4(tone_map(radiance), alpha);
  glowing = vec4(surface.x > 0.0 ? seen.rgb : vec3(0.0), alpha);
}

#part shadow.vert
uniform mat4 to_screen;
void main() {
  Face f = face();
  gl_Position = f.stands ? to_screen * vec4(f.place, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
}

#part shadow.frag
void main() {}

#part sky.vert
void main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0); }

#part sky.frag
layout(location = 0) out vec4 seen;
layout(location = 1) out vec4 glowing;
void main() {
  seen = vec4(background(gl_FragCoord.xy) + stars * star(gl_FragCoord.xy), 1.0);
  glowing = vec4(0.0);
}

#part ground.vert
uniform mat4 to_screen;
uniform vec3 square; // centre, half width
out vec3 place;
out vec2 away;
void main() {
  away = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0;
  place = vec3(square.xy + away * square.z, 0.0);
  gl_Position = to_screen * vec4(place, 1.0);
}

#part ground.frag
in vec3 place;
in vec2 away;
layout(location = 0) out vec4 seen;
layout(location = 1) out vec4 glowing;
// The plane is unseen; it takes shadow and lamp light, fading out: see ground.py and darkroom.py.
void main() {
  vec3 up = vec3(0.0, 0.0, 1.0);
  vec2 beside = max(max(-place.xy, place.xy - scene_size.xy), 0.0);
  float blur = 1.5 * volume_side + 0.5 * length(beside); // light from afar has no sharp shadow
  vec4 soft = vec4(0.0);
  for (int i = 0; i < 12; i++) {
    float r = blur * sqrt((float(i) + 0.5) / 12.0), a = float(i) * 2.39996;
    soft += soft_light(place + vec3(r * cos(a), r * sin(a), 0.5 * volume_side)) / 12.0;
  }
  float penumbra = softness * 1.3 + 0.01 * scene_size.z + 0.04 * length(beside);
  vec3 light = sky_irradiance(up) * min(soft.a * 1.02, 1.0) + sun_light * sunlight(place, up, penumbra, 24) + soft.rgb * lamp_gain;
  vec3 ratio = light / open_light;
  float distance = pow(pow(abs(away.x), 3.0) + pow(abs(away.y), 3.0), 1.0 / 3.0);
  ratio = 1.0 + (ratio - 1.0) * smoothstep(0.0, 1.0, clamp((1.0 - distance) / 0.45, 0.0, 1.0));
  vec3 behind = background(gl_FragCoord.xy);
  float room = clamp(0.15 / max(max(behind.r, max(behind.g, behind.b)), 0.1), 0.0, 1.0);
  vec3 lit = 1.0 + room * (ratio - 1.0) / (1.0 + (ratio - 1.0) / 14.0);
  seen = vec4(behind * pow(mix(ratio, lit, step(1.0, ratio)), vec3(0.46)) + stars * star(gl_FragCoord.xy), 1.0);
  glowing = vec4(0.0);
}

#part blur.frag
uniform sampler2D image;
uniform vec2 target, step_by; // pixels drawn to; in texture coordinates
out vec4 blurred;
void main() {
  vec2 at = gl_FragCoord.xy / target;
  vec3 sum = vec3(0.0);
  float total = 0.0;
  for (int i = -6; i <= 6; i++) {
    float weight = exp(-float(i * i) / 14.0);
    sum += weight * texture(image, at + step_by * float(i)).rgb;
    total += weight;
  }
  blurred = vec4(sum / total, 1.0);
}

#part finish.frag
uniform sampler2D image, near_glow, wide_glow;
uniform float bloom;
out vec4 pixel;
void main() {
  vec3 color = texelFetch(image, ivec2(gl_FragCoord.xy), 0).rgb;
  vec2 at = gl_FragCoord.xy / vec2(textureSize(image, 0));
  vec3 haze = bloom * (0.6 * texture(near_glow, at).rgb + 0.9 * texture(wide_glow, at).rgb);
  pixel = vec4(color + (1.0 - color) * clamp(haze, 0.0, 1.0), 1.0);
}
