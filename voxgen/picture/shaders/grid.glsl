// The voxel grid as a texture, and rays through it. Shared by every shader that traces light.
//
// Uniforms: ivec-like sizes as ints because the window toolkit sets no integer vectors.
//   grid       one code a cell; z slices lie side by side, `columns` (a power of two) to a row
//              code < FREE: air, and no voxel within that many cells (chessboard distance)
//              code >= FREE: material number code - FREE + 1
//   palette    row pairs of 256 entries: linear colour and opacity; emission and metal

const int FREE = 16;
const float PI = 3.14159265;
const float OFF = 1e-3; // start rays this far off a surface

vec3 extent() { return vec3(float(size_x), float(size_y), float(size_z)); }

int code_at(ivec3 cell) {
  int mask = (1 << columns_log2) - 1;
  ivec2 at = ivec2((cell.z & mask) * size_x + cell.x, (cell.z >> columns_log2) * size_y + cell.y);
  vec4 texel = texelFetch(grid, at, 0);
  int low = int(texel.r * 255.0 + 0.5);
  return wide == 1 ? low + 256 * int(texel.a * 255.0 + 0.5) : low;
}

// material number of a cell, 0 for air and outside
int material_at(ivec3 cell) {
  if (any(lessThan(cell, ivec3(0))) || any(greaterThanEqual(cell, ivec3(size_x, size_y, size_z)))) return 0;
  return max(0, code_at(cell) - FREE + 1);
}

vec4 surface(int material) { // linear colour, opacity
  return texelFetch(palette, ivec2(material & 255, (material >> 8) * 2), 0);
}

vec4 lamp(int material) { // emitted radiance, metal
  return texelFetch(palette, ivec2(material & 255, (material >> 8) * 2 + 1), 0);
}

bool is_opaque(int material) { return material > 0 && surface(material).a > 0.99; }

// PCG random numbers: Jarzynski & Olano, "Hash functions for GPU rendering", 2020
uint state;
uint pcg(uint v) {
  v = v * 747796405u + 2891336453u;
  uint word = ((v >> ((v >> 28u) + 4u)) ^ v) * 277803737u;
  return (word >> 22u) ^ word;
}
float random() {
  state = pcg(state);
  return float(state >> 8u) * (1.0 / 16777216.0);
}

vec3 sky(vec3 way) {
  vec3 above = mix(horizon, zenith, sqrt(clamp(way.z, 0.0, 1.0)));
  return mix(ground, above, clamp(way.z / 0.06 + 0.5, 0.0, 1.0));
}

struct Hit {
  int material; // 0: nothing was hit
  vec3 normal;
  float reach;  // distance along the ray
  int inside;   // material of the cell the ray would go on in
};

// Walk the grid from cell to cell (Amanatides & Woo, "A fast voxel traversal algorithm", 1987), with
// leaps over the empty boxes that the distance field promises.
//   through: true walks on through translucent voxels, tinting `clear`; false stops at their sides
//   medium:  the material the ray starts in
Hit march(vec3 origin, vec3 way, bool through, int medium, float limit, inout vec3 clear) {
  Hit hit = Hit(0, vec3(0.0), -1.0, medium);
  vec3 sense = vec3(way.x < 0.0 ? -1.0 : 1.0, way.y < 0.0 ? -1.0 : 1.0, way.z < 0.0 ? -1.0 : 1.0);
  vec3 safe = max(abs(way), vec3(1e-7)) * sense;
  vec3 inverse = 1.0 / safe;
  vec3 ahead = step(vec3(0.0), safe);
  vec3 box = extent();
  vec3 a = -origin * inverse, b = (box - origin) * inverse;
  vec3 enter = min(a, b), leave = max(a, b);
  float start = max(max(enter.x, enter.y), max(enter.z, 0.0));
  if (start >= min(min(leave.x, leave.y), leave.z)) return hit;
  vec3 normal = vec3(0.0);
  if (start > 0.0) {
    if (start == enter.x) normal.x = -sense.x;
    else if (start == enter.y) normal.y = -sense.y;
    else normal.z = -sense.z;
  }
  vec3 cell = clamp(floor(origin + safe * start), vec3(0.0), box - 1.0);
  float t = start;
  for (int i = 0; i < 2048; i++) {
    int code = code_at(ivec3(cell));
    int material = max(0, code - FREE + 1);
    if (material != medium) {
      vec4 skin = material > 0 ? surface(material) : vec4(0.0);
      if (skin.a > 0.99 || !through) {
        hit.material = material > 0 ? material : medium;
        hit.normal = normal;
        hit.reach = t;
        hit.inside = material;
        return hit;
      }
      if (material > 0) clear *= mix(vec3(1.0), skin.rgb / max(max(skin.r, skin.g), max(skin.b, 0.05)), skin.a)
                               * (1.0 - 0.35 * skin.a);
      medium = material;
    }
    float radius = code < FREE ? float(code) : 0.0;
    vec3 low = cell - radius, high = cell + radius + 1.0;
    vec3 exits = (mix(low, high, ahead) - origin) * inverse;
    if (exits.x < exits.y && exits.x < exits.z) {
      t = exits.x;
      cell = clamp(floor(origin + safe * t), low, high - 1.0);
      cell.x = safe.x > 0.0 ? high.x : low.x - 1.0;
      normal = vec3(-sense.x, 0.0, 0.0);
    } else if (exits.y < exits.z) {
      t = exits.y;
      cell = clamp(floor(origin + safe * t), low, high - 1.0);
      cell.y = safe.y > 0.0 ? high.y : low.y - 1.0;
      normal = vec3(0.0, -sense.y, 0.0);
    } else {
      t = exits.z;
      cell = clamp(floor(origin + safe * t), low, high - 1.0);
      cell.z = safe.z > 0.0 ? high.z : low.z - 1.0;
      normal = vec3(0.0, 0.0, -sense.z);
    }
    if (t > limit) return hit;
    if (any(lessThan(cell, vec3(0.0))) || any(greaterThanEqual(cell, box))) break;
  }
  if (medium > 0 && !through) { // leaves the grid out of a translucent voxel
    hit.material = medium;
    hit.normal = normal;
    hit.reach = t;
    hit.inside = 0;
  }
  return hit;
}

void tangents(vec3 n, out vec3 a, out vec3 b) {
  a = normalize(cross(abs(n.z) < 0.5 ? vec3(0.0, 0.0, 1.0) : vec3(1.0, 0.0, 0.0), n));
  b = cross(n, a);
}

// a direction over the hemisphere of n, as likely as its cosine (Malley's method)
vec3 cosine_way(vec3 n, float u, float v) {
  vec3 a, b;
  tangents(n, a, b);
  float r = sqrt(u), p = 2.0 * PI * v;
  return normalize(a * (r * cos(p)) + b * (r * sin(p)) + n * sqrt(max(0.0, 1.0 - u)));
}

// irradiance of the sun through a random point of its disc
vec3 sunlight(vec3 point, vec3 n, float u, float v) {
  vec3 a, b;
  tangents(sun, a, b);
  float r = sqrt(u) * sun_radius, p = 2.0 * PI * v;
  vec3 way = normalize(sun + a * (r * cos(p)) + b * (r * sin(p)));
  float facing = dot(n, way);
  if (facing <= 0.0) return vec3(0.0);
  vec3 clear = vec3(1.0);
  Hit block = march(point, way, true, 0, 1e9, clear);
  return block.material == 0 ? sun_light * facing * clear : vec3(0.0);
}

// Is this point in the sun? Looked up in a shadow map instead of traced (L. Williams, 1978): good enough
// for light that bounces once more.
//   sun_map   distance from the plane `sun_top` to the first solid voxel, and what light comes through
//   sun_a, sun_b   the map's axes; sun_low, sun_step, sun_side   its corner, texel size and texels a side
vec3 sunlight_by_map(vec3 point, vec3 n, vec2 jitter) {
  float facing = dot(n, sun);
  if (facing <= 0.0) return vec3(0.0);
  vec3 place = point + 0.3 * n;
  vec2 at = (vec2(dot(place, sun_a), dot(place, sun_b)) - sun_low.xy) / sun_step + (jitter - 0.5) * 2.0;
  vec4 first_hit = texelFetch(sun_map, clamp(ivec2(floor(at + 0.5)), ivec2(0), ivec2(sun_side - 1)), 0);
  float depth = sun_top - dot(place, sun);
  if (depth > first_hit.r + 0.4) return vec3(0.0);
  return sun_light * facing * (depth > first_hit.r - 1.5 ? first_hit.g : 1.0);
}
