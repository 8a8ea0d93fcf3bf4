// The server's binary messages: 4 bytes with the header's length, the header in JSON, the parts one after the other.

export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { header, buffer, start: 4 + length };
}

/** The JPEGs as [name, blob]. */
export function unpackPicture({ header, buffer, start }) {
  let at = start;
  return header.parts.map(([name, size]) => {
    const blob = new Blob([new Uint8Array(buffer, at, size)], { type: "image/jpeg" });
    at += size;
    return [name, blob];
  });
}

/** The readings, their arrays as Float32Array, or as a list of those where they have rows. */
export function unpackReadings({ header, buffer, start }) {
  let at = start;
  const numbers = (size) => new Float32Array(buffer.slice(at, at += 4 * size));
  return header.readings.map((reading) => {
    const shaped = ([size, ...inner]) => (inner.length ? Array.from({ length: size }, () => shaped(inner)) : numbers(size));
    const arrays = reading.arrays.map(([name, shape]) => [name, shaped(shape)]);
    return { ...reading, arrays: Object.fromEntries(arrays) };
  });
}
