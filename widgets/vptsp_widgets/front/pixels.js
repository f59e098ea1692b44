// Pixels of the screen and of the style sheet: in presenter mode a view is zoomed, and one is not the other.

/** How many pixels of the window a pixel of an element's style is wide. @param {Element} element */
const zoomOf = (element) => /** @type {{ currentCSSZoom?: number }} */ (element).currentCSSZoom || 1;

/**
 * Pixels of the screen for a pixel of an element's style: so many a canvas needs to be sharp, `most` at the most.
 * @param {Element} element
 */
export const sharpness = (element, most = 3) => Math.max(1, Math.min(most, (window.devicePixelRatio || 1) * zoomOf(element)));

/**
 * Where a pointer is, in pixels of the element's style from its upper left corner.
 * @param {Element} element
 * @param {{ clientX: number, clientY: number }} event
 * @returns {[number, number]}
 */
export function placeIn(element, event) {
  const box = element.getBoundingClientRect();
  const zoom = zoomOf(element);
  return [(event.clientX - box.left) / zoom, (event.clientY - box.top) / zoom];
}

/**
 * Width and height of an element in pixels of its style, with their fractions.
 * @param {Element} element
 * @returns {[number, number]}
 */
export function sizeOf(element) {
  const box = element.getBoundingClientRect();
  const zoom = zoomOf(element);
  return [box.width / zoom, box.height / zoom];
}
