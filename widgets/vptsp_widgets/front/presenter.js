// Presenter mode: a view on the whole screen, large enough for a lecture hall, its panels folded, its steps one by one.

import { make, svg } from "./dom.js";

/**
 * What a view shows one after the other, such as stories or epochs.
 * @typedef {object} Steps
 * @property {() => number} count
 * @property {() => number} at - the one shown; -1: none of them
 * @property {(at: number) => void} go
 * @property {(at: number) => string} title
 */

const ROOM = [960, 540]; // pixels that a view has on the wall, of whatever resolution: at 1920 x 1080 all is twice as large
const USING_ARROWS = "input, select, textarea, [role=slider], [role=listbox], [role=grid]";

/**
 * The button that begins it, which a view puts among its own. Elements of the class `vptsp-fold` are hidden until the
 * presenter asks for them. `show()` is for views whose steps go on by themselves.
 * @param {Steps | null} [steps]
 */
export function presenter(steps = null) {
  const icon = svg("svg", { viewBox: "0 0 14 14", width: "14", height: "14", "aria-hidden": "true" },
    svg("path", { d: "M1 5V1H5M9 1H13V5M13 9V13H9M5 13H1V9", fill: "none", stroke: "currentColor", "stroke-width": "1.8" }));
  const button = make("button", {
    type: "button", className: "vptsp-present", title: "present: the whole screen, in large type", "aria-label": "present", onclick: begin,
  }, icon);
  /** @type {(() => void) | null} */
  let leave = null;
  let show = () => {};

  function begin() {
    const root = /** @type {HTMLElement | null} */ (button.closest(".vptsp"));
    if (leave || !root) return;
    const bar = presenterBar(root, steps, () => leave?.());
    const listening = new AbortController();
    const on = (/** @type {EventTarget} */ target, /** @type {string} */ name, /** @type {(event: any) => void} */ act, capture = false) =>
      target.addEventListener(name, act, { signal: listening.signal, capture });
    show = bar.show;
    leave = () => {
      leave = null;
      show = () => {};
      listening.abort();
      bar.element.remove();
      root.classList.remove("vptsp-presented", "vptsp-unfolded");
      root.removeAttribute("popover");
      for (const name of ["zoom", "--screen-width", "--screen-height"]) root.style.removeProperty(name);
      if (document.fullscreenElement === root) document.exitFullscreen();
      if (button.isConnected) button.focus();
    };
    root.classList.add("vptsp-presented");
    root.append(bar.element);
    on(window, "resize", () => (root.isConnected ? fit(root) : leave?.()));
    for (const name of ["click", "change", "input", "keyup"]) on(root, name, () => setTimeout(show));
    on(root, "keydown", (event) => firstKeys(event, root, bar, () => leave?.()), true);
    on(root, "keydown", (event) => lastKeys(event, bar));
    on(root, "focusout", ({ relatedTarget }) => relatedTarget && !root.contains(relatedTarget) && bar.focus());
    toScreen(root, on, () => leave?.());
    fit(root);
    bar.show();
    bar.focus();
  }

  return { button, show: () => show() };
}

/**
 * The bar below: back, what is shown, next, the folded panels, and the way out.
 * @param {HTMLElement} root
 * @param {Steps | null} steps
 * @param {() => void} end
 */
function presenterBar(root, steps, end) {
  const act = (/** @type {string} */ text, /** @type {string} */ title, /** @type {() => void} */ onclick) => make("button", { type: "button", title, onclick }, text);
  const back = act("← Back", "the step before (← or Page Up)", () => step(-1));
  const next = act("Next →", "the next step (→ or Page Down)", () => step(1));
  const name = make("span", { className: "vptsp-presenter-step", "aria-live": "polite" });
  const fold = act("Controls", "what was folded away (C)", toggle);
  const out = act("Leave", "back to the page (Esc)", end);
  const folded = root.querySelector(".vptsp-fold") !== null;
  const element = make(
    "div", { className: "vptsp-presenter", role: "toolbar", "aria-label": "presenter" },
    ...(steps ? [back, next, name] : [name]), folded ? fold : null, out,
  );

  function step(/** @type {number} */ by) {
    const to = steps ? Math.max(steps.at(), by > 0 ? -1 : 0) + by : -1;
    if (steps && to >= 0 && to < steps.count()) steps.go(to);
    show();
  }
  function toggle() {
    root.classList.toggle("vptsp-unfolded");
    show();
  }
  function show() {
    fold.setAttribute("aria-pressed", String(root.classList.contains("vptsp-unfolded")));
    if (!steps) return;
    const [at, count] = [steps.at(), steps.count()];
    const text = at < 0 ? "" : `${at + 1} of ${count}: ${steps.title(at)}`;
    if (name.textContent !== text) name.textContent = text; // else a screen reader would say it again
    // never disabled: a button that loses the focus would leave the keyboard nowhere
    back.setAttribute("aria-disabled", String(at <= 0));
    next.setAttribute("aria-disabled", String(at >= count - 1));
  }
  return { element, show, step, toggle, steps, folded, focus: () => (steps ? next : out).focus({ preventScroll: true }) };
}

/** @typedef {ReturnType<typeof presenterBar>} Bar */

/**
 * Keys that are the presenter's whatever has the focus: of a remote control, and the way out.
 * @param {KeyboardEvent} event
 * @param {HTMLElement} root
 * @param {Bar} bar
 * @param {() => void} end
 */
function firstKeys(event, root, bar, end) {
  const step = { PageDown: 1, PageUp: -1 }[event.key];
  if (event.key === "Escape" && !root.querySelector("dialog[open]")) end();
  else if (step && bar.steps && !event.ctrlKey && !event.altKey) bar.step(step);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/**
 * Keys that are the presenter's where nothing else takes them.
 * @param {KeyboardEvent} event
 * @param {Bar} bar
 */
function lastKeys(event, bar) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/** @type {Element} */ (event.target).matches(USING_ARROWS)) return;
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step && bar.steps) bar.step(step);
  else if (event.key.toLowerCase() === "c" && bar.folded) bar.toggle();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/**
 * To the whole screen, or, where a page may not have it, at least above all else in its window.
 * @param {HTMLElement} root
 * @param {(target: EventTarget, name: string, act: (event: any) => void) => void} on
 * @param {() => void} end
 */
async function toScreen(root, on, end) {
  try {
    await root.requestFullscreen();
    on(document, "fullscreenchange", () => document.fullscreenElement !== root && end());
  } catch {
    if (!root.classList.contains("vptsp-presented")) return; // left meanwhile
    root.setAttribute("popover", "manual");
    root.showPopover?.();
  }
}

/** @param {HTMLElement} root */
function fit(root) {
  const zoom = Math.max(1, Math.min(window.innerWidth / ROOM[0], window.innerHeight / ROOM[1]));
  root.style.setProperty("zoom", String(zoom));
  root.style.setProperty("--screen-width", `${window.innerWidth / zoom}px`);
  root.style.setProperty("--screen-height", `${window.innerHeight / zoom}px`);
}
