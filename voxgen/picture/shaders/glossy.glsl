// Water, glass and metal: a mirrored ray a pixel over the light map.
//   eye, forward, parallel   the camera
//   lightmap   radiance of the surface itself; its alpha is 6 * material + direction

const float DEEP = 8.0; // voxels of a medium beyond which nothing more is lost

vec3 compress(vec3 c) { return c / (1.0 + max(c.r, max(c.g, c.b))); } // undone after averaging

// what a mirrored ray sees, lit by the sun and an open sky
vec3 mirrored(vec3 point, vec3 way) {
  vec3 clear = vec3(1.0);
  Hit hit = march(point, way, true, 0, 1e9, clear);
  if (hit.material == 0) {
    float glint = smoothstep(0.9985, 0.9998, dot(way, sun));
    return (sky(way) + sun_light * 4.0 * glint) * clear;
  }
  vec3 there = point + way * hit.reach + hit.normal * OFF;
  vec3 light = sunlight_by_map(there, hit.normal, vec2(0.5)) / PI + 0.6 * sky(hit.normal);
  return (surface(hit.material).rgb * light + lamp(hit.material).rgb) * clear;
}

// small waves on still water, as a tilt of its normal
vec3 ripple(vec2 at) {
  vec2 wave = vec2(sin(at.x * 2.1 + 1.3 * sin(at.y * 0.9)) + 0.6 * sin(at.y * 3.7 + at.x),
                   cos(at.y * 1.9 + 1.1 * sin(at.x * 1.3)) + 0.6 * sin(at.x * 4.1 - at.y * 0.7));
  return normalize(vec3(0.022 * wave, 1.0));
}

vec4 shade(vec3 place, vec4 texel) {
  vec3 way = parallel == 1 ? forward : normalize(place - eye);
  int tag = int(texel.a + 0.5), material = tag / 6, direction = tag - 6 * material;
  vec3 n = vec3(0.0);
  n[direction >> 1] = (direction & 1) == 1 ? 1.0 : -1.0;
  vec4 skin = surface(material);
  float metal = lamp(material).a;
  vec3 facet = n.z > 0.5 && skin.a < 0.99 ? ripple(place.xy) : n;
  vec3 bounce = reflect(way, facet);
  float rise = dot(bounce, n);
  if (rise < 0.03) bounce = normalize(bounce + n * (0.06 - rise));
  vec3 seen = mirrored(place + n * OFF, bounce) * exposure;
  float away = pow(1.0 - clamp(-dot(way, facet), 0.0, 1.0), 5.0); // Schlick's Fresnel (1994)
  if (skin.a > 0.99) { // metal
    vec3 tint = mix(skin.rgb, vec3(1.0), away);
    float share = 0.6 * metal;
    return vec4(compress(mix(texel.rgb, seen * tint, share)), 1.0);
  }
  // the deeper the medium behind this pixel, the less shows through (Beer-Lambert)
  vec3 unused = vec3(1.0);
  Hit floor_hit = march(place - n * OFF, way, false, material, DEEP, unused);
  float depth = floor_hit.material == 0 ? DEEP : max(floor_hit.reach, 0.35);
  float cover = 1.0 - pow(1.0 - min(skin.a, 0.98), 0.45 + 0.55 * min(depth, DEEP));
  float fresnel = 0.02 + 0.98 * away;
  float alpha = 1.0 - (1.0 - fresnel) * (1.0 - cover);
  vec3 colour = (fresnel * seen + (1.0 - fresnel) * cover * texel.rgb) / max(alpha, 1e-3);
  return vec4(compress(colour), alpha);
}
