// Lists compared.

/**
 * Whether two lists hold the same, place by place.
 * @param {ArrayLike<unknown>} some
 * @param {ArrayLike<unknown>} others
 */
export function sameItems(some, others) {
  if (some.length !== others.length) return false;
  for (let at = 0; at < some.length; at++) if (some[at] !== others[at]) return false;
  return true;
}
