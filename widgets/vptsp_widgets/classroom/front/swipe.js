// Swipes: a finger that goes sideways, farther than it goes up or down.

const LEAST = 60; // pixels

/**
 * Calls `act(1)` for a swipe to the left, which brings what comes next, and `act(-1)` for one to the right. What begins
 * in an element of `not` is a touch of that.
 * @param {HTMLElement} root
 * @param {string} not - a selector
 * @param {(by: 1 | -1) => void} act
 */
export function onSwipe(root, not, act) {
  /** @type {{ x: number, y: number } | null} */ let from = null;
  root.addEventListener("touchstart", ({ touches, target }) => {
    const other = touches.length > 1 || /** @type {Element} */ (target).closest(not);
    from = other ? null : { x: touches[0].clientX, y: touches[0].clientY };
  }, { passive: true });
  root.addEventListener("touchend", ({ changedTouches: [touch] }) => {
    if (!from) return;
    const across = touch.clientX - from.x, down = touch.clientY - from.y;
    from = null;
    if (Math.abs(across) > LEAST && Math.abs(across) > 2 * Math.abs(down)) act(across < 0 ? 1 : -1);
  }, { passive: true });
}
