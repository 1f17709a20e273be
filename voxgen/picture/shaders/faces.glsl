// Faces with their light map, as bounded radiance: averaging samples after c / (1 + max c) keeps one
// bright sample from swallowing an edge (B. Karis, "Tone mapping", 2013).
//   seam   how much darker the seams between voxels are, 0 for none

const float HALF_SEAM = 0.03; // its width, in voxels

vec4 face(vec3 c, vec3 place) {
  vec3 across = abs(cross(dFdx(place), dFdy(place))); // the plane's axis has the largest part
  vec2 at = across.z >= max(across.x, across.y) ? place.xy : across.y >= across.x ? place.xz : place.yz;
  vec2 edge = min(fract(at), 1.0 - fract(at));
  c *= 1.0 - seam * (1.0 - smoothstep(0.5 * HALF_SEAM, 1.5 * HALF_SEAM, min(edge.x, edge.y)));
  return vec4(c / (1.0 + max(c.r, max(c.g, c.b))), 1.0);
}
