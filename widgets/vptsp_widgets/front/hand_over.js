// What leaves the page by the reader's hand: text to the clipboard, and files.

import { make } from "./dom.js";

/**
 * Puts text into the clipboard; answers whether it could.
 * @param {string} text
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByHand(text); // a page that is not served over HTTPS, or a frame that may not
  }
}

function copyByHand(text) {
  const field = make("textarea", { value: text, style: { position: "fixed", opacity: "0" } });
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus({ preventScroll: true });
  return done;
}

/** Saves text as a file. */
export function saveFile(name, text, type = "text/csv") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // the browser reads it after the click
}
