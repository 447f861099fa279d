/** Rounds to the nearest integer, halves to the even one, as Python and OpenCV do. */
export function roundToEven(value) {
  const below = Math.floor(value);
  const above = value - below;
  return above < 0.5 || (above === 0.5 && below % 2 === 0) ? below : below + 1;
}
