// Bytes traits as typed arrays, and back.

/** Typed views on a Bytes trait (anywidget hands over a DataView). */
export function typed(Kind, value) {
  if (!value || !value.byteLength) return new Kind(0);
  const start = value.byteOffset ?? 0;
  if (start % Kind.BYTES_PER_ELEMENT === 0) {
    return new Kind(value.buffer ?? value, start, value.byteLength / Kind.BYTES_PER_ELEMENT);
  }
  return new Kind((value.buffer ?? value).slice(start, start + value.byteLength));
}
export const int32 = (value) => typed(Int32Array, value);
export const float32 = (value) => typed(Float32Array, value);

/** Bytes of a typed array, to be set on a Bytes trait. */
export const bytesOf = (array) => new DataView(array.buffer.slice(array.byteOffset, array.byteOffset + array.byteLength));
