// The shaders that draw a frame, in the order in which they run. They are `_Blend` of
// ssagan_tf/motion/loop.py. Colours are in [0, 1]; positions are indices of pixels, row 0 at the top.
//
// Only formats that every WebGL 2 renders to are used: values that may leave [0, 1] are kept in ten
// bits, and sums as the bits of a float in an unsigned integer.

const HEAD = `#version 300 es
precision highp float;
precision highp sampler2D;
precision highp usampler2D;
`;

/** A triangle that covers the target. */
export const COVER = `${HEAD}
void main() {
  gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0, 1);
}`;

const GREY = `
float grey(vec3 colour) { return dot(colour, vec3(0.299, 0.587, 0.114)); }
`;

// Bicubic values and sharpened contrasts leave [0, 1]: ten bits cover [-1/4, 5/4].
const TEN_BITS = `
vec3 widen(vec3 colour) { return colour * 1.5 - 0.25; }
vec3 narrow(vec3 colour) { return (colour + 0.25) / 1.5; }
`;

// Binomial weights 1 4 6 4 1; two neighbours at a time, by linear sampling between them.
const SOFT = `
vec3 soft(sampler2D picture, vec2 pixel) {
  vec2 scale = 1.0 / vec2(textureSize(picture, 0));
  vec3 total = vec3(0);
  for (int y = -1; y <= 1; y++) {
    for (int x = -1; x <= 1; x++) {
      float weight = (x == 0 ? 6.0 : 5.0) * (y == 0 ? 6.0 : 5.0) / 256.0;
      vec2 place = (pixel + 0.5 + vec2(x, y) * 1.2) * scale;
      total += weight * textureLod(picture, place, 0.0).rgb;
    }
  }
  return widen(total);
}
`;

const BLEND = `
uniform sampler2D moving, loss;
uniform vec2 size;  // of the photo
uniform vec2 origin;  // left and top of the box of what moves
uniform vec2 constant, across, away;  // coefficients of the drift over a phase, in pixels
uniform float horizon, shore;  // shore: first row of pixels below the horizon
uniform float time;
const float TAU = 6.28318530718;

float wave(vec2 place, float right, float down, float offset) {
  return sin(TAU * fract(right * place.x + down * place.y + offset));
}

vec2 drift(vec2 pixel) {
  vec2 place = (pixel + 0.5) / size;
  vec2 velocity = constant + (place.x - 0.5) * across + abs(place.y - horizon) * away;
  return pixel.y >= shore ? velocity * vec2(1, -1) : velocity;
}

vec2 curvature(vec2 pixel, vec2 velocity) {
  float above = max(pixel.y - 1.0, 0.0), below = min(pixel.y + 1.0, size.y - 1.0);
  vec2 down = (drift(vec2(pixel.x, below)) - drift(vec2(pixel.x, above))) / max(below - above, 1.0);
  vec2 right = (pixel.y >= shore ? across * vec2(1, -1) : across) / size.x;
  return min(size.x, size.y) < 2.0 ? vec2(0) : 0.5 * (right * velocity.x + down * velocity.y);
}

vec3 linear(vec2 place) {
  return textureLod(moving, (place + 0.5) / size, 0.0).rgb;
}

// The two middle pixels of four have weights of the same sign: linear sampling takes both at once.
vec3 cubic(vec2 place) {
  const float A = -0.75;
  vec2 f = fract(place), g = 1.0 - f, pixel = place - f + 0.5;
  vec2 before = A * f * g * g, after = A * g * f * f;
  vec2 second = ((A + 2.0) * g - (A + 3.0)) * g * g + 1.0;
  vec2 middle = 1.0 - before - after;
  vec2 left = (pixel - 1.0) / size, right = (pixel + 2.0) / size;
  vec2 centre = (pixel + second / middle) / size;
  return before.y * (before.x * textureLod(moving, left, 0.0).rgb
                     + middle.x * textureLod(moving, vec2(centre.x, left.y), 0.0).rgb
                     + after.x * textureLod(moving, vec2(right.x, left.y), 0.0).rgb)
       + middle.y * (before.x * textureLod(moving, vec2(left.x, centre.y), 0.0).rgb
                     + middle.x * textureLod(moving, centre, 0.0).rgb
                     + after.x * textureLod(moving, vec2(right.x, centre.y), 0.0).rgb)
       + after.y * (before.x * textureLod(moving, vec2(left.x, right.y), 0.0).rgb
                    + middle.x * textureLod(moving, vec2(centre.x, right.y), 0.0).rgb
                    + after.x * textureLod(moving, right, 0.0).rgb);
}

// Returns the blend of both copies, and the factor that restores its contrast.
vec4 blend(vec2 pixel) {
  vec2 place = (pixel + 0.5) / size;
  float shift = 0.25 * (wave(place, 0.9, 0.5, 0.1) + wave(place, -0.6, 1.1, 0.35)
                        + wave(place, 1.4, -1.0, 0.8)) * inversesqrt(3.0);
  float patches = 0.25 * tanh(0.5 * (wave(place, 3.1, 1.7, 0.2) + wave(place, -2.3, 3.7, 0.7)
                                     + wave(place, 4.9, -2.9, 0.45) + wave(place, 1.3, 5.3, 0.9)));
  // From -1 (invisible) over 0 (the photo) to 1 (invisible again).
  float first = 2.0 * fract(shift + time / 2.0) - 1.0;
  float second = first >= 0.0 ? first - 1.0 : first + 1.0;
  // A copy is invisible when it restarts: patches avoid that time.
  float share = clamp(2.0 * abs(first - patches) - 0.5, 0.0, 1.0);  // of the second copy
  vec2 velocity = drift(pixel), bend = curvature(pixel, velocity);
  vec3 copy, other;
  if (share < 1.0) copy = SAMPLED(pixel - first * (velocity - first * bend));
  if (share > 0.0) other = SAMPLED(pixel - second * (velocity - second * bend));
  if (share == 0.0) return vec4(copy, 1);
  if (share == 1.0) return vec4(other, 1);
  // A brighter cloud stays longer.
  share += share * (1.0 - share) * clamp((grey(other) - grey(copy)) * 255.0 / 40.0, -1.0, 1.0);
  float lost = textureLod(loss, place, 0.0).r;
  return vec4(mix(copy, other, share), inversesqrt(1.0 - 2.0 * share * (1.0 - share) * lost));
}
`;

// Loops over much code end at uniforms, so that compilers do not unroll them.

/** Light and shade: the mean of the blend in squares of 8 × 8 pixels, from 4 × 4 places between them. */
export const REDUCE = `${HEAD}
#define SAMPLED linear
${GREY}${BLEND}
uniform vec2 scale;  // pixels per square
uniform int places;  // along a side of it
out vec4 mean;
void main() {
  vec2 corner = origin + floor(gl_FragCoord.xy) * scale - 0.5, apart = scale / float(places);
  vec4 total = vec4(0);
  for (int y = 0; y < places; y++) {
    for (int x = 0; x < places; x++) total += vec4(blend(corner + (vec2(x, y) + 0.5) * apart).rgb, 1);
  }
  mean = total / total.a;
}`;

/** Blurs light and shade in one direction. */
export const BLUR = `${HEAD}
uniform sampler2D picture;
uniform ivec2 direction;
uniform float sigma;
out vec4 blurred;
void main() {
  int radius = int(round(sigma * 6.0 + 1.0)) / 2;
  vec2 size = vec2(textureSize(picture, 0));
  vec4 total = vec4(0);
  for (int i = -radius; i <= radius; i++) {
    float weight = exp(-0.5 * float(i * i) / (sigma * sigma));
    vec2 place = (gl_FragCoord.xy + vec2(i * direction)) / size;
    total += weight * vec4(textureLod(picture, place, 0.0).rgb, 1);
  }
  blurred = vec4(total.rgb / total.a, 1);
}`;

/** The blend of both copies, its contrast restored. */
export const MIX = `${HEAD}
#define SAMPLED cubic
${GREY}${TEN_BITS}${BLEND}
uniform sampler2D smoothed;
uniform vec2 box;  // its size
out vec4 mixed;
void main() {
  vec4 made = blend(origin + floor(gl_FragCoord.xy));
  vec3 base = textureLod(smoothed, gl_FragCoord.xy / box, 0.0).rgb;
  mixed = vec4(narrow(mix(base, made.rgb, made.a)), 1);
}`;

/** How much detail there is in squares of 8 × 8 samples. */
export const DETAIL = `${HEAD}
${GREY}${TEN_BITS}${SOFT}
uniform sampler2D mixed, photo;
uniform ivec2 corner;  // left and top of the box
uniform int stride;  // pixels between samples
out uint sum;
void main() {
  ivec2 first = ivec2(gl_FragCoord.xy) * 8 * stride;
  ivec2 end = min(first + 8 * stride, textureSize(mixed, 0));
  float total = 0.0;
  for (int y = first.y; y < end.y; y += stride) {
    for (int x = first.x; x < end.x; x += stride) {
      ivec2 pixel = ivec2(x, y);
      if (texelFetch(photo, corner + pixel, 0).a == 0.0) continue;
      vec3 colour = widen(texelFetch(mixed, pixel, 0).rgb);
      float detail = 255.0 * grey(colour - soft(mixed, vec2(pixel)));
      total += detail * detail;
    }
  }
  sum = floatBitsToUint(total);
}`;

/** Sums of 8 × 8 sums. */
export const SUM = `${HEAD}
uniform usampler2D sums;
out uint sum;
void main() {
  ivec2 first = ivec2(gl_FragCoord.xy) * 8, end = min(first + 8, textureSize(sums, 0));
  float total = 0.0;
  for (int y = first.y; y < end.y; y++) {
    for (int x = first.x; x < end.x; x++) total += uintBitsToFloat(texelFetch(sums, ivec2(x, y), 0).r);
  }
  sum = floatBitsToUint(total);
}`;

/** The corners of the picture, and the factor that makes it as sharp as the photo. */
export const SHARPNESS = `${HEAD}
uniform usampler2D sums;
uniform float sharpness;  // of the photo
flat out float sharpening;
void main() {
  ivec2 size = textureSize(sums, 0);
  float total = 0.0;
  for (int y = 0; y < size.y; y++) {
    for (int x = 0; x < size.x; x++) total += uintBitsToFloat(texelFetch(sums, ivec2(x, y), 0).r);
  }
  sharpening = sharpness > 0.0 ? clamp(sharpness / max(sqrt(total), 1e-3), 1.0 / 1.3, 1.3) : 1.0;
  gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0, 1);
}`;

/** The frame: as sharp as the photo, on the static parts of it and below the light of the sun. */
export const FRAME = `${HEAD}
${TEN_BITS}${SOFT}
uniform sampler2D mixed, photo, moving, glow;
uniform ivec2 corner;  // left and top of the box
uniform int height;  // of the photo
flat in float sharpening;
out vec4 frame;

vec3 rounded(vec3 colour) { return floor(clamp(colour, 0.0, 1.0) * 255.0 + 0.5) / 255.0; }

void main() {
  ivec2 pixel = ivec2(gl_FragCoord.x, float(height) - gl_FragCoord.y);
  vec4 own = texelFetch(photo, pixel, 0), extended = texelFetch(moving, pixel, 0);
  vec3 colour = own.rgb;
  if (extended.a > 0.0) {
    vec3 blended = widen(texelFetch(mixed, pixel - corner, 0).rgb);
    vec3 blurred = soft(mixed, vec2(pixel - corner));
    vec3 moved = rounded(mix(blurred, blended, sharpening));
    colour = extended.a == 1.0 ? moved : rounded(own.rgb + extended.a * (moved - extended.rgb));
  }
  // Without a sun, its light is a single black pixel.
  vec3 light = texelFetch(glow, min(pixel, textureSize(glow, 0) - 1), 0).rgb;
  frame = vec4(min(colour + light, 1.0), 1);
}`;
