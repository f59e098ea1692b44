// Finding by name: a text box with a list of what fits, and what fits of the images, the classes and the proxies.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { bdi, isolated, oneLine } from "./elements.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Images } from "./images.js" */

/** A text box with a list of what fits: `options(text)` gives [{text, note, act}]. */
export function chooser(label, placeholder, options) {
  const id = `vptsp-${Math.random().toString(36).slice(2)}`;
  const list = make("ul", { role: "listbox", id, hidden: true, className: "vg-options", "aria-label": label });
  const input = make("input", {
    type: "text", role: "combobox", placeholder, autocomplete: "off", spellcheck: false,
    "aria-label": label, "aria-controls": id, "aria-expanded": "false", "aria-autocomplete": "list",
  });
  let found = [];
  let at = 0;
  const mark = () => {
    [...list.children].forEach((item, place) => item.setAttribute("aria-selected", String(place === at)));
    const item = list.children[at];
    if (item) item.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", item?.id ?? "");
  };
  const hide = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
  };
  const choose = (option) => {
    input.value = "";
    hide();
    option?.act();
  };
  const show = () => {
    found = options(input.value.trim());
    at = 0;
    list.replaceChildren(
      ...found.map((option, place) =>
        make(
          "li",
          { role: "option", id: `${id}-${place}`, onmousedown: (event) => (event.preventDefault(), choose(option)) },
          bdi(option.text), make("span", { className: "vg-soft" }, option.note),
        )),
    );
    if (!found.length) list.append(make("li", { className: "vg-soft" }, "nothing fits"));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark();
  };
  input.addEventListener("input", show);
  input.addEventListener("focus", show);
  input.addEventListener("click", show);
  input.addEventListener("blur", () => {
    input.value = "";
    hide();
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      if (list.hidden) show();
      else at = (at + step + found.length) % found.length;
      mark();
    } else if (event.key === "Enter" && !list.hidden) choose(found[at]);
    else if (event.key === "Escape" && !list.hidden) hide();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return { element: make("span", { className: "vg-chooser" }, input, list), input };
}

/**
 * What fits of the images: one by its number, classes by name, images by id.
 * @param {Images} images
 */
export function imageOptions(images, text, { ask, openClass }) {
  const low = text.toLowerCase();
  const options = [];
  if (/^\d+$/.test(text) && Number(text) < images.ids.length) {
    const row = Number(text);
    options.push({ text: images.ids[row], note: `image number ${row}`, act: () => ask({ row }) });
  }
  for (const [label, rows] of images.rows) {
    if (options.length >= 40) break;
    if (oneLine(images.classes[label]).toLowerCase().includes(low)) {
      options.push({ text: images.classes[label], note: `class of ${count(rows.length)}`, act: () => openClass(label) });
    }
  }
  for (let row = 0; low && row < images.ids.length && options.length < 60; row++) {
    if (images.ids[row].toLowerCase().includes(low)) {
      options.push({ text: images.ids[row], note: `image of ${isolated(images.nameOf(row))}`, act: () => ask({ row }) });
    }
  }
  return options;
}

/**
 * A box for words; Enter makes them the query that `ask` takes.
 * @param {(query: { text: string }) => void} ask
 */
export function wordsFinder(ask) {
  const input = make("input", { type: "search", placeholder: "what images show", className: "vg-describe", "aria-label": "words to search with" });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing && input.value.trim()) ask({ text: input.value.trim() });
    else if (event.key !== "Escape" || !input.value) return;
    else input.value = "";
    event.preventDefault();
    event.stopPropagation();
  });
  const element = make("label", { hidden: true }, "Words", input);
  return { element, offer: (/** @type {boolean} */ there) => (element.hidden = !there) };
}

/**
 * A proxy is chosen by its kind and its class; `ask` takes it as a query.
 * @param {Model} model
 */
export function proxyFinder(model, ask) {
  const kind = make("select", { "aria-label": "kind of proxy" });
  const options = (text) => {
    const low = text.toLowerCase();
    return model.get("_proxy_names")
      .map((name, number) => ({ text: name, note: "", act: () => ask({ proxy: [kind.value, number] }) }))
      .filter((option) => oneLine(option.text).toLowerCase().includes(low)).slice(0, 40);
  };
  const element = make("label", {}, "Proxy", kind, chooser("class of the proxy", "class of the proxy", options).element);
  const offer = (kinds) => {
    element.hidden = !kinds.length;
    kind.replaceChildren(...kinds.map((name) => make("option", { value: name }, oneLine(name))));
    kind.value = kinds.includes("fused") ? "fused" : kinds[0] ?? "";
  };
  return { element, offer };
}
