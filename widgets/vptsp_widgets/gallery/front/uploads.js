// Files of one's own: chosen or dropped on the view, and no larger than the kernel takes.

import { make } from "../../front/dom.js";
import { button, isolated } from "./elements.js";

const LARGEST = 8 * 2 ** 20; // bytes of an upload, as the kernel's side says

/**
 * Files dropped on `root` or chosen go to `send(name, bytes)`; what is wrong with one is said with `say`.
 * @param {HTMLElement} root
 */
export function fileTaker(root, { send, say }) {
  const file = make("input", { type: "file", accept: "image/*", hidden: true, onchange: () => take(file.files?.[0]) });
  const open = button("Open image…", "search with a file of your own; it can be dropped here as well", () => file.click());
  const dropHere = make("div", { className: "vg-drop", hidden: true }, "Drop the image to search with it");

  async function take(given) {
    file.value = ""; // so that the same file can be chosen again
    if (!given) return;
    if (given.size > LARGEST) {
      say(`${isolated(given.name)} has ${(given.size / 2 ** 20).toFixed(1)} MB; save it with at most 8 MB`);
      return;
    }
    send(given.name, await given.arrayBuffer());
  }

  const hasFile = (event) => !open.hidden && [...(event.dataTransfer?.types ?? [])].includes("Files");
  const drops = {
    dragover(event) {
      if (!hasFile(event)) return;
      event.preventDefault();
      event.stopPropagation();
      dropHere.hidden = false;
    },
    dragleave(event) {
      if (!root.contains(event.relatedTarget)) dropHere.hidden = true;
    },
    drop(event) {
      dropHere.hidden = true;
      if (!hasFile(event)) return;
      event.preventDefault();
      event.stopPropagation();
      take(event.dataTransfer.files[0]);
    },
  };
  for (const [name, act] of Object.entries(drops)) root.addEventListener(name, act);

  const offer = (offered) => {
    open.hidden = !offered;
  };
  return { open, file, dropHere, offer };
}
