// Rectangles [x, y, width, height] in whole px of the sensor.

export const LEAST = 8;

const between = (value, least, most) => Math.min(Math.max(value, least), most);

/** The rectangle between two points; it is never smaller than the least that can be measured. */
export function spanned([x0, y0], [x1, y1], width, height) {
  const [wide, high] = [Math.max(Math.abs(x1 - x0), LEAST), Math.max(Math.abs(y1 - y0), LEAST)];
  return inside([Math.min(x0, x1), Math.min(y0, y1), wide, high], width, height);
}

/** The rectangle, rounded and moved to where it is inside the picture. */
export function inside([x, y, wide, high], width, height) {
  const [w, h] = [between(Math.round(wide), LEAST, width), between(Math.round(high), LEAST, height)];
  return [between(Math.round(x), 0, width - w), between(Math.round(y), 0, height - h), w, h];
}

/** The rectangle with its right lower corner moved; the left upper one stays. */
export function resized([x, y], wide, high, width, height) {
  return [x, y, between(Math.round(wide), LEAST, width - x), between(Math.round(high), LEAST, height - y)];
}
