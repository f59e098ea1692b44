// A stand-in for the widget's model in a page without a kernel: it holds the state, and answers for thumbnails.
function standIn({ state, pages }, extra) {
  const values = {};
  for (const [key, value] of Object.entries(state)) {
    values[key] = value && value.bytes !== undefined
      ? new DataView(Uint8Array.from(atob(value.bytes), (sign) => sign.charCodeAt(0)).buffer)
      : value;
  }
  const listeners = new Map();
  const fire = (name, ...parts) => [...(listeners.get(name) ?? [])].forEach((act) => act(...parts));
  const model = {
    get: (key) => values[key],
    set(key, value) {
      values[key] = value;
      fire(`change:${key}`);
    },
    save_changes() {},
    on(name, act) {
      listeners.set(name, [...(listeners.get(name) ?? []), act]);
    },
    off(name, act) {
      listeners.set(name, (listeners.get(name) ?? []).filter((other) => other !== act));
    },
    send(message) {
      if (message.kind === "page" && pages[message.page]) {
        setTimeout(() => fire("msg:custom", { kind: "page", page: message.page, url: pages[message.page] }, []));
      } else extra?.(message, model, (answer) => fire("msg:custom", answer, []));
    },
    live: false, // front ends leave out what only a kernel can do
  };
  return model;
}

/** Mounts a front end into `element`. `front.answer(message, model, reply)`, if there is one, plays the kernel. */
export function mount(front, element, data, label) {
  // The blocks of a page show the same images: thumbnails come once, and what is chosen in one moves the others.
  const pages = data.pages.length ? (window.vptspPages = data.pages) : window.vptspPages ?? [];
  const model = standIn({ ...data, pages }, front.answer);
  element.setAttribute("aria-label", label);
  front.render({ model, el: element });
  const models = (window.vptspModels ??= []);
  for (const other of models) {
    for (const name of ["_focused", "_selected"]) {
      follow(model, other, name);
      follow(other, model, name);
    }
  }
  models.push(model);
}

function follow(leader, model, name) {
  const plain = (value) => (value instanceof DataView ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength).join() : value);
  leader.on(`change:${name}`, () => {
    if (plain(leader.get(name)) !== plain(model.get(name))) model.set(name, leader.get(name));
  });
}
