// Faces with their light map, as bounded radiance: averaging samples after c / (1 + max c) keeps one
// bright sample from swallowing an edge (B. Karis, "Tone mapping", 2013).
//   seam   how much darker the seams between voxels are, 0 for none
//   rimmed 1 where the light map's alpha tells the free edges of a face:
//          16 * direction + bits for the low and high end of the first tangent, then of the second
//   bevel  width of rounded edges in voxels, 0 for none
//   ink    how dark the edges are drawn, 0 for none

const float HALF_SEAM = 0.03; // its width, in voxels
const float LINE = 1.25;      // half the width of a drawn edge, in samples

// light on an open surface, to compare one normal with another
float open_light(vec3 n) {
  vec3 sky = mix(ground, mix(horizon, zenith, 0.5), 0.5 + 0.5 * n.z);
  return dot(sun_light * max(dot(n, sun), 0.0) + 3.14159 * sky, vec3(0.2126, 0.7152, 0.0722));
}

vec4 face(vec4 texel, vec3 place) {
  vec3 c = texel.rgb;
  vec3 size = fwidth(place);
  vec3 across = abs(cross(dFdx(place), dFdy(place))); // the plane's axis has the largest part
  int axis = across.z >= max(across.x, across.y) ? 2 : across.y >= across.x ? 1 : 0;
  int u = axis == 2 ? 0 : axis + 1, v = axis == 0 ? 2 : axis - 1; // as TANGENTS in mesher.py
  vec2 at = fract(vec2(place[u], place[v])), scale = vec2(size[u], size[v]);
  vec4 far = vec4(at.x, 1.0 - at.x, at.y, 1.0 - at.y); // from the edges, in the order of the bits
  float nearest = min(min(far.x, far.y), min(far.z, far.w));
  c *= 1.0 - seam * (1.0 - smoothstep(0.5 * HALF_SEAM, 1.5 * HALF_SEAM, nearest));
  if (rimmed == 1) {
    int tag = int(texel.a + 0.5);
    vec4 rim = vec4(float(tag & 1), float(tag >> 1 & 1), float(tag >> 2 & 1), float(tag >> 3 & 1));
    if (bevel > 0.0) { // the normal turns towards a free edge, as on a rounded box
      vec3 n = vec3(0.0);
      n[axis] = (tag >> 4 & 1) == 1 ? 1.0 : -1.0;
      vec4 turn = rim * clamp(1.0 - far / bevel, 0.0, 1.0);
      vec3 rounded = n;
      rounded[u] += turn.y - turn.x;
      rounded[v] += turn.w - turn.z;
      float ratio = open_light(normalize(rounded)) / max(open_light(n), 1e-4);
      float most = max(max(turn.x, turn.y), max(turn.z, turn.w));
      c *= clamp(pow(ratio, 0.75), 0.6, 1.8) * (1.0 + 0.18 * most);
      c *= 1.0 - 0.10 * (1.0 - smoothstep(0.0, 0.05, nearest)) * (1.0 - most);
    }
    if (ink > 0.0) { // a line of even width on free edges, a fainter one between voxels of some size
      vec4 line = 1.0 - smoothstep(vec4(LINE), vec4(LINE + 1.0), far / scale.xxyy);
      vec4 weight = mix(vec4(0.3 * smoothstep(4.0, 14.0, 1.0 / max(scale.x, scale.y))), vec4(1.0), rim);
      vec4 drawn = line * weight;
      c *= 1.0 - ink * max(max(drawn.x, drawn.y), max(drawn.z, drawn.w));
    }
  }
  return vec4(c / (1.0 + max(c.r, max(c.g, c.b))), 1.0);
}
