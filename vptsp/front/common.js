// What all front ends share. No exports: the text of a view's own module follows this one.

/** Typed views on a Bytes trait (anywidget hands over a DataView). */
function typed(Kind, value) {
  if (!value || !value.byteLength) return new Kind(0);
  const start = value.byteOffset ?? 0;
  if (start % Kind.BYTES_PER_ELEMENT === 0) {
    return new Kind(value.buffer ?? value, start, value.byteLength / Kind.BYTES_PER_ELEMENT);
  }
  return new Kind((value.buffer ?? value).slice(start, start + value.byteLength));
}
const int32 = (value) => typed(Int32Array, value);
const float32 = (value) => typed(Float32Array, value);

/** Bytes of a typed array, to be set on a Bytes trait. */
const bytesOf = (array) => new DataView(array.buffer.slice(array.byteOffset, array.byteOffset + array.byteLength));

/** An element with properties and children; strings become text nodes, never markup. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  // JupyterLab's shortcuts look at the focused element first, so that "d d" on a button would delete its cell
  element.dataset.lmSuppressShortcuts = "true";
  for (const [key, value] of Object.entries(properties)) {
    if (key === "style") Object.assign(element.style, value);
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && !key.startsWith("aria")) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The same for a drawing. */
function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const count = (number) => number.toLocaleString("en-US");
const clip = (value, low, high) => Math.min(high, Math.max(low, value));
const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const total = (values) => values.reduce((sum, value) => sum + value, 0);

/** Calls `act` after `wait` ms without another call; the latest arguments win. */
function debounced(act, wait = 80) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...values), wait);
  };
}

/** Whether the page is dark: JupyterLab says so, elsewhere the page's own choice or the system does. */
function isDark() {
  const lab = document.body.dataset.jpThemeLight;
  if (lab !== undefined) return lab === "false";
  const own = document.documentElement.dataset.theme;
  return own ? own === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Calls `act(dark)` now and whenever the theme changes; returns a function that ends it. */
function onTheme(act) {
  const tell = () => act(isDark());
  const observer = new MutationObserver(tell);
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", tell);
  tell();
  return () => {
    observer.disconnect();
    media.removeEventListener("change", tell);
  };
}

/** Listens to several traits of the model; returns a function that ends it. */
function onTraits(model, handlers) {
  for (const [name, act] of Object.entries(handlers)) model.on(`change:${name}`, act);
  return () => {
    for (const [name, act] of Object.entries(handlers)) model.off(`change:${name}`, act);
  };
}

/** Thumbnails by row, on pages that are asked for when first needed and dropped when long unused. */
class Atlas {
  // The model's trait `_atlas` = {tile, side, places: null | [place of row or -1]}; null: the row is the place.
  constructor(model, onPage, most = 12) {
    this.model = model;
    this.onPage = onPage;
    this.most = most;
    this.pages = new Map(); // page -> {bitmap, url}, least recently used first
    this.asked = new Set();
    this.receive = (message, buffers) => {
      if (message.kind === "page") this.arrived(message.page, buffers[0], message.url);
    };
    model.on("msg:custom", this.receive);
  }

  place(row) {
    const { tile, side, places } = this.model.get("_atlas");
    const place = places ? places[row] : row;
    if (place === undefined || place < 0) return null;
    const page = Math.floor(place / (side * side));
    const inPage = place % (side * side);
    return { page, x: (inPage % side) * tile, y: Math.floor(inPage / side) * tile, tile };
  }

  /** The page, or null while it is on its way. */
  page(number) {
    const page = this.pages.get(number);
    if (page) {
      this.pages.delete(number);
      this.pages.set(number, page);
      return page;
    }
    if (!this.asked.has(number)) {
      this.asked.add(number);
      this.model.send({ kind: "page", page: number });
    }
    return null;
  }

  async arrived(number, buffer, url) {
    const source = url ?? URL.createObjectURL(new Blob([buffer], { type: "image/jpeg" }));
    const image = new Image();
    image.src = source;
    let readable = true;
    try {
      await image.decode();
    } catch {
      readable = false; // its tiles stay grey
    }
    if (!readable || this.closed) {
      if (source.startsWith("blob:")) URL.revokeObjectURL(source);
      return;
    }
    this.asked.delete(number);
    this.pages.set(number, { bitmap: image, url: source });
    while (this.pages.size > this.most) this.drop(this.pages.keys().next().value);
    this.onPage(number);
  }

  drop(number) {
    const page = this.pages.get(number);
    if (page && page.url.startsWith("blob:")) URL.revokeObjectURL(page.url);
    this.pages.delete(number);
  }

  /** Draws the thumbnail of a row; a grey tile while its page is on its way. */
  draw(context, row, x, y, size) {
    const place = this.place(row);
    const page = place && this.page(place.page);
    if (page) context.drawImage(page.bitmap, place.x, place.y, place.tile, place.tile, x, y, size, size);
    else {
      context.fillStyle = "#8b8f96";
      context.fillRect(x, y, size, size);
    }
    return Boolean(page);
  }

  /** A canvas with the thumbnail; it is filled once its page has come. `alt` is what a screen reader says. */
  element(row, size, alt) {
    const ratio = Math.max(1, Math.min(3, window.devicePixelRatio || 1));
    const canvas = make("canvas", { width: size * ratio, height: size * ratio, role: "img", "aria-label": alt, title: alt });
    canvas.style.width = canvas.style.height = `${size}px`;
    canvas.dataset.row = row;
    this.fill(canvas);
    return canvas;
  }

  fill(canvas) {
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    const done = this.draw(context, Number(canvas.dataset.row), 0, 0, canvas.width);
    canvas.classList.toggle("vptsp-waiting", !done);
  }

  /** Fills the canvases in `root` that still wait. */
  refill(root) {
    for (const canvas of root.querySelectorAll("canvas.vptsp-waiting")) this.fill(canvas);
  }

  close() {
    this.closed = true; // a page that is being decoded comes too late
    this.model.off("msg:custom", this.receive);
    for (const number of [...this.pages.keys()]) this.drop(number);
  }
}

/** The line in which a view says what it does and what went wrong; screen readers follow it. */
function statusLine(model) {
  const line = make("div", { className: "vptsp-status", role: "status", "aria-live": "polite" });
  const show = () => {
    line.textContent = model.get("status") || "";
  };
  const end = onTraits(model, { status: show });
  show();
  return { line, say: (text) => (line.textContent = text), end };
}

/** A panel of keys and what they do, toggled by `?`. */
function helpPanel(rows) {
  const table = make(
    "table",
    { className: "vptsp-help", hidden: true },
    ...rows.map(([key, what]) => make("tr", {}, make("th", { scope: "row" }, key), make("td", {}, what))),
  );
  return { table, toggle: () => (table.hidden = !table.hidden) };
}
