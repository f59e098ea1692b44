// Bytes traits as typed arrays, and back.

/** @typedef {DataView | ArrayBuffer | Uint8Array | null | undefined} Bytes */

/**
 * Typed views on a Bytes trait (anywidget hands over a DataView).
 * @template T
 * @param {{ new (buffer: ArrayBufferLike | number, start?: number, length?: number): T, BYTES_PER_ELEMENT: number }} Kind
 * @param {Bytes} value
 * @returns {T}
 */
export function typed(Kind, value) {
  if (!value || !value.byteLength) return new Kind(0);
  const [buffer, start] = "buffer" in value ? [value.buffer, value.byteOffset] : [value, 0];
  if (start % Kind.BYTES_PER_ELEMENT === 0) return new Kind(buffer, start, value.byteLength / Kind.BYTES_PER_ELEMENT);
  return new Kind(buffer.slice(start, start + value.byteLength));
}
/** @param {Bytes} value */
export const int32 = (value) => typed(Int32Array, value);
/** @param {Bytes} value */
export const float32 = (value) => typed(Float32Array, value);

/**
 * Bytes of a typed array, to be set on a Bytes trait.
 * @param {ArrayBufferView} array
 */
export const bytesOf = (array) => new DataView(array.buffer.slice(array.byteOffset, array.byteOffset + array.byteLength));
