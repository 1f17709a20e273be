// Irradiance at points on voxel faces, one point a fragment.
//   points   position and direction (0..5, as in Mesh; 6 is a ground plane facing up)
//   spacing  width of the square around a point whose light it averages
//   kind     0 the sun alone; 1 everything else: sky, bounced light, lamps; 2 the sun's shadow map

// Light arrives also from lamps: glowing faces, listed as many times as they are strong.
//   lamps    pairs: position and direction; material and weight
const float NEAR = 1.5; // closer lamps are found by the bouncing rays themselves

vec3 axis_of(int direction) {
  float side = (direction & 1) == 1 ? 1.0 : -1.0;
  return vec3(direction < 2 ? side : 0.0, direction > 1 && direction < 4 ? side : 0.0, direction > 3 ? side : 0.0);
}

// One lamp by resampled importance sampling (Talbot, Cline & Egbert 2005; the reservoir of ReSTIR,
// Bitterli et al. 2020): several candidates are weighed without shadow, one of them gets a shadow ray.
vec3 lamplight(vec3 point, vec3 n, int candidates) {
  float total = 0.0, chosen = 0.0, reach = 1.0;
  vec3 light = vec3(0.0), way = vec3(0.0);
  for (int i = 0; i < candidates; i++) {
    int k = min(int(random() * float(lamp_count)), lamp_count - 1);
    ivec2 at = ivec2((k & 511) * 2, k >> 9);
    vec4 place = texelFetch(lamps, at, 0);
    vec4 power = texelFetch(lamps, at + ivec2(1, 0), 0);
    int direction = int(place.a);
    vec3 facing = axis_of(direction);
    float r1 = random(), r2 = random(), pick = random();
    vec3 spot = place.xyz + max(facing, vec3(0.0));
    if (direction < 2) spot.yz += vec2(r1, r2);
    else if (direction < 4) spot.xz += vec2(r1, r2);
    else spot.xy += vec2(r1, r2);
    vec3 to = spot + facing * OFF - point;
    float square = dot(to, to), distance = sqrt(square);
    to /= distance;
    float here = dot(n, to), there = -dot(facing, to);
    if (here > 0.0 && there > 0.0 && distance > NEAR) {
      vec3 gain = lamp(int(power.x)).rgb * (here * there / square);
      float target = gain.r + gain.g + gain.b;
      float weight = target * power.y;
      total += weight;
      if (pick * total < weight) { way = to; light = gain; chosen = target; reach = distance; }
    }
  }
  if (chosen <= 0.0) return vec3(0.0);
  vec3 clear = vec3(1.0);
  Hit block = march(point, way, true, 0, reach * 0.9995, clear);
  if (block.material != 0 && block.reach < reach * 0.999) return vec3(0.0);
  return light * clear * (total / (float(candidates) * chosen));
}

// A path that bounces from voxel to voxel, gathering the sun and a lamp at each stop: path tracing with
// next event estimation (J. Kajiya, "The rendering equation", 1986).
// lamp_share: how much this path's lamps count, 0 to leave them out
vec3 bounced(vec3 point, vec3 n, float u, float v, float lamp_share) {
  vec3 sum = lamp_share > 0.0 ? lamplight(point, n, candidates) * lamp_share : vec3(0.0);
  vec3 throughput = vec3(1.0), way = cosine_way(n, u, v), clear = vec3(1.0);
  int medium = material_at(ivec3(floor(point))), bounces = 0; // it may start under water
  float travelled = 0.0;
  for (int i = 0; i < 12; i++) {
    Hit hit = march(point, way, false, medium, 1e9, clear);
    if (hit.material == 0) return sum + throughput * PI * sky(way);
    travelled += hit.reach;
    vec4 skin = surface(hit.material);
    if (skin.a < 0.99 && random() > skin.a) { // on through water or glass
      point += way * hit.reach + way * 1e-4;
      medium = hit.inside;
      continue;
    }
    if (travelled <= NEAR) sum += throughput * PI * lamp(hit.material).rgb;
    if (bounces >= max_bounces) return sum;
    bounces++;
    throughput *= skin.rgb;
    float survive = bounces > 1 ? min(1.0, 0.1 + max(throughput.r, max(throughput.g, throughput.b))) : 1.0;
    if (random() > survive) return sum; // Russian roulette (Arvo & Kirk, 1990)
    throughput /= survive;
    point += way * hit.reach + hit.normal * OFF;
    medium = material_at(ivec3(floor(point)));
    travelled = 0.0;
    vec3 direct = sunlight_by_map(point, hit.normal, vec2(random(), random()));
    if (lamp_share > 0.0 && bounces == 1) direct += lamplight(point, hit.normal, 2) * lamp_share;
    sum += min(throughput * direct, vec3(brightest));
    way = cosine_way(hit.normal, random(), random());
  }
  return sum;
}

bool shows(vec3 place, vec3 n) { // is there an exposed face at this place of a face plane?
  ivec3 cell = ivec3(floor(place - 0.5 * n));
  int own = material_at(cell), front = material_at(ivec3(floor(place + 0.5 * n)));
  return own > 0 && own != front && !is_opaque(front);
}

// Around a lattice point, in which of the four quarters of its square does a face show? Bit 1 for +a, 2 for +b.
int quarters(vec3 point, vec3 n, vec3 a, vec3 b) {
  int found = 0;
  for (int q = 0; q < 4; q++) {
    vec2 by = vec2((q & 1) == 1 ? 0.25 : -0.25, q > 1 ? 0.25 : -0.25) * spacing;
    if (shows(point + a * by.x + b * by.y, n)) found |= 1 << q;
  }
  return found;
}

// Move within the square, but never off the exposed faces: a quarter without face is mirrored to another.
vec2 spread(vec2 by, int found) {
  int q = (by.x > 0.0 ? 1 : 0) + (by.y > 0.0 ? 2 : 0);
  if ((found >> q & 1) == 1) return by;
  if ((found >> (q ^ 1) & 1) == 1) return vec2(-by.x, by.y);
  return (found >> (q ^ 2) & 1) == 1 ? vec2(by.x, -by.y) : -by;
}

vec4 bake() {
  vec4 spot = texelFetch(points, ivec2(gl_FragCoord.xy), 0);
  int direction = int(spot.a);
  if (direction < 0) return vec4(0.0, 0.0, 0.0, 1.0);
  if (kind == 2) {
    vec3 clear = vec3(1.0);
    Hit hit = march(spot.xyz, -sun, true, 0, 1e9, clear);
    return vec4(hit.material == 0 ? 1e9 : hit.reach, dot(clear, vec3(0.3, 0.5, 0.2)), 0.0, 1.0);
  }
  vec3 n = direction > 5 ? vec3(0.0, 0.0, 1.0) : axis_of(direction);
  uvec3 at = uvec3(ivec3(floor(spot.xyz * 60.0 + 0.5)) + 65536);
  uint seed = pcg(at.x + pcg(at.y + pcg(at.z + pcg(uint(direction)))));
  state = seed;
  vec4 shift = vec4(random(), random(), random(), random());
  vec3 a = direction < 2 ? vec3(0.0, 1.0, 0.0) : vec3(1.0, 0.0, 0.0);
  vec3 b = direction < 4 ? vec3(0.0, 0.0, 1.0) : vec3(0.0, 1.0, 0.0);
  int found = direction < 6 ? quarters(spot.xyz, n, a, b) : 15;
  vec3 sum = vec3(0.0);
  for (int i = 0; i < samples; i++) {
    int sample_number = first + i;
    state = seed + uint(sample_number) * 26699u;
    // R4 low-discrepancy sequence (Roberts 2018), turned by a hash of the place (Cranley & Patterson)
    vec4 r = fract(shift + float(sample_number) * vec4(0.8566748838545, 0.7338918566271, 0.6287067210378, 0.5385972572236));
    vec2 by = spread((r.zw - 0.5) * spacing, found);
    vec3 point = spot.xyz + a * by.x + b * by.y;
    if (direction == 6 && is_opaque(material_at(ivec3(floor(point))))) point = spot.xyz; // not under a wall
    point += n * OFF;
    // by day lamps matter little: only every few samples looks for them, all of a draw alike
    float lamp_share = lamp_count > 0 && sample_number % lamp_every == 0 ? float(lamp_every) : 0.0;
    sum += kind == 0 ? sunlight(point, n, r.x, r.y) : bounced(point, n, r.x, r.y, lamp_share);
  }
  return vec4(sum, 1.0);
}
