// Small elements: a name as one line of text, and a button.

/** A name as one line of text; the isolates keep right-to-left names from turning what stands beside them. */
const oneLine = (name) => String(name).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim() || "(no name)";
const isolated = (name) => `\u2068${oneLine(name)}\u2069`;
const bdi = (name) => make("bdi", {}, oneLine(name));

function button(text, title, act) {
  return make("button", { type: "button", title, onclick: act }, text);
}
