// A table of runs: filter, sort, choose one, mark several and compare them.

import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { count } from "../../front/text.js";
import { onTheme } from "../../front/theme.js";
import { debounced } from "../../front/timing.js";
/** @import { Message } from "../../front/model.js" */

/** @typedef {[key: string, title: string, form?: (value: any, row: any) => string]} Column */

/** @type {Column[]} */
const COLUMNS = [
  ["name", "run"],
  ["state", "state"],
  ["method", "method"],
  ["dataset", "data set"],
  ["recall", "R@1", (value, row) => `${(100 * value).toFixed(1)} % ${row.metrics[0]}`.trim()], // of recognition: top-1
  ["map", "MAP@R", (value, row) => `${(100 * value).toFixed(1)} % ${row.metrics[1]}`.trim()],
  ["trained", "trained", count],
  ["when", "when", moment],
];

function moment(seconds) {
  const time = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

/** @type {(row: any, column: Column) => string} */
const cellText = (row, [key, , form]) => (row[key] === null ? "–" : form ? form(row[key], row) : row[key]);

/** Rows in the order of a column; what has no value comes last either way, equals stay as they were. */
function sorted(rows, key, down) {
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const order = rows.map((_, index) => index);
  return order.sort((a, b) => {
    const [left, right] = [rows[a][key], rows[b][key]];
    if (left === null || right === null) return Number(left === null) - Number(right === null) || a - b;
    const way = typeof left === "number" ? left - right : compare(left, right);
    return (down ? -way : way) || a - b;
  });
}

export default {
  render({ model, el }) {
    let sort = { key: "when", down: true };
    let shownRows = []; // rows in the order on screen
    let at = -1; // the row that has the keyboard
    let lines = new Map(); // row -> its <tr>
    let marked = new Set();

    const filter = make("input", { type: "search", placeholder: "filter: every word must match", "aria-label": "filter runs; every word must match some column", oninput: debounced(() => showRows(), 60) });
    const shownCount = make("span", { className: "vptsp-count", "aria-live": "polite" });
    const refresh = make("button", { type: "button", onclick: reload }, "Refresh");
    const clear = make("button", { type: "button", onclick: () => mark([]) }, "Unmark all");
    const compare = make("button", { type: "button", onclick: () => showComparison(true) }, "Compare");
    const help = helpPanel([
      ["↑ ↓, Home, End", "move among the runs"],
      ["Enter, click", "choose the run"],
      ["Space", "mark the run, or take the mark away"],
      ["Esc", "close the comparison, or choose none"],
      ["Enter on a heading", "sort by it; again: the other way round"],
      ["?", "this list"],
    ]);
    const helpButton = make("button", { type: "button", "aria-label": "keys", title: "keys (?)", onclick: help.toggle }, "?");
    const bar = make("div", { className: "vptsp-bar" }, filter, shownCount, make("span", { className: "vptsp-ends" }, compare, clear, model.live === false ? null : refresh, helpButton));
    const heads = new Map(COLUMNS.map((column) => [column[0], heading(column)]));
    const body = make("tbody", { onclick: clicked, onkeydown: keyed, onfocusin: entered });
    const headRow = make("tr", {}, make("th", { scope: "col", className: "vptsp-markcell" }, make("span", { className: "vptsp-hidden" }, "marked")), ...heads.values());
    const table = make("table", { className: "vptsp-runs", "aria-label": "runs" }, make("thead", {}, headRow), body);
    const scroll = make("div", { className: "vptsp-scroll" }, table);
    const none = make("div", { className: "vptsp-none", hidden: true });
    const comparison = make("section", { className: "vptsp-comparison", hidden: true, tabIndex: -1, "aria-label": "comparison of the marked runs" });
    const status = statusLine(model);
    const root = make("div", { className: "vptsp vptsp-picker" }, bar, help.table, none, scroll, comparison, status.line);

    function heading(column) {
      const [key, title, form] = column;
      const arrow = make("span", { className: "vptsp-arrow", "aria-hidden": "true" });
      const button = make("button", { type: "button", onclick: () => sortBy(key) }, title, arrow);
      return make("th", { scope: "col", className: form && key !== "when" ? "vptsp-number" : "" }, button);
    }

    function sortBy(key) {
      const numbers = ["recall", "map", "trained", "when"].includes(key); // the largest of these first
      sort = { key, down: sort.key === key ? !sort.down : numbers };
      showRows();
    }

    // --- the table --------------------------------------------------------------------------------
    function buildRows() {
      const rows = model.get("_rows") ?? [];
      lines = new Map(rows.map((row, index) => [index, line(row, index)]));
      none.textContent = `There are no runs in ${model.get("folder")}. In a terminal, vptsp train makes one, and vptsp demo one in five minutes; in a notebook, vptsp.train(config).`;
      none.hidden = rows.length > 0;
      scroll.hidden = filter.hidden = compare.hidden = clear.hidden = rows.length === 0;
      at = -1;
      showRows();
      showMarked();
    }

    function line(row, index) {
      const box = make("input", { type: "checkbox", tabIndex: -1, "aria-label": `mark ${row.name}` });
      const cells = COLUMNS.map((column) => {
        const [key, , form] = column;
        const kind = key === "name" ? "vptsp-name" : form && key !== "when" ? "vptsp-number" : "";
        const text = cellText(row, column);
        /** @type {(string | Node)[]} */
        let content = [text];
        if (key === "state") {
          const badge = make("span", { className: "vptsp-badge" }, text);
          badge.dataset.state = text;
          content = [badge];
        } else if (key === "when") content = text.split(" ").flatMap((part) => [make("span", { className: "vptsp-whole" }, part), " "]);
        return make("td", { className: kind, ...(key === "state" && row.note ? { title: row.note } : {}) }, ...content);
      });
      const made = make("tr", { tabIndex: -1 }, make("td", { className: "vptsp-markcell" }, box), ...cells);
      made.dataset.row = index;
      made.title = row.note || "";
      return made;
    }

    function showRows() {
      const rows = model.get("_rows") ?? [];
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      const texts = (row) => COLUMNS.map((column) => cellText(row, column).toLowerCase());
      const fits = (row) => {
        const all = texts(row);
        return words.every((word) => all.some((text) => text.includes(word)));
      };
      shownRows = sorted(rows, sort.key, sort.down).filter((index) => fits(rows[index]));
      body.replaceChildren(...shownRows.map((index) => lines.get(index)));
      if (!shownRows.length && rows.length) body.append(make("tr", {}, make("td", { colSpan: COLUMNS.length + 1 }, "no run matches the filter")));
      const both = `${count(shownRows.length)} of ${count(rows.length)} runs`;
      shownCount.textContent = rows.length ? both : "";
      for (const [key, head] of heads) {
        const mine = key === sort.key;
        head.setAttribute("aria-sort", mine ? (sort.down ? "descending" : "ascending") : "none");
        /** @type {HTMLElement} */ (head.querySelector(".vptsp-arrow")).textContent = mine ? (sort.down ? " ▾" : " ▴") : "";
      }
      showChosen();
      rove(shownRows.includes(at) ? at : shownRows.includes(model.get("_chosen")) ? model.get("_chosen") : shownRows[0] ?? -1);
    }

    /** Makes one row the one that Tab reaches. */
    function rove(row) {
      if (lines.has(at)) lines.get(at).tabIndex = -1;
      at = row;
      if (lines.has(at)) lines.get(at).tabIndex = 0;
    }

    function showChosen() {
      const chosen = model.get("_chosen");
      for (const [index, made] of lines) {
        made.classList.toggle("vptsp-chosen", index === chosen);
        if (index === chosen) made.setAttribute("aria-current", "true");
        else made.removeAttribute("aria-current");
      }
    }

    function showMarked() {
      marked = new Set(model.get("_marked") ?? []);
      for (const [index, made] of lines) made.querySelector("input").checked = marked.has(index);
      compare.textContent = marked.size ? `Compare ${marked.size} marked` : "Compare";
      compare.disabled = marked.size < 2;
      compare.title = marked.size < 2 ? "mark two or more runs" : "";
      clear.disabled = !marked.size;
      if (!comparison.hidden) showComparison(marked.size > 1);
    }

    // --- choosing and marking ---------------------------------------------------------------------
    function choose(row) {
      model.set("_chosen", row);
      model.save_changes();
      const name = row >= 0 ? (model.get("_rows")[row] ?? {}).name : "";
      status.say(name ? `${name} is chosen` : "no run is chosen");
    }

    function mark(rows) {
      model.set("_marked", [...rows].sort((a, b) => a - b));
      model.save_changes();
      showMarked();
    }

    function toggle(row) {
      const now = new Set(marked);
      if (!now.delete(row)) now.add(row);
      mark(now);
    }

    function clicked(event) {
      const made = event.target.closest("tr[data-row]");
      if (!made) return;
      const row = Number(made.dataset.row);
      rove(row);
      if (event.target.closest(".vptsp-markcell")) {
        if (event.target.tagName === "INPUT") event.target.checked = marked.has(row); // showMarked sets it
        toggle(row);
      } else choose(row);
    }

    function entered(event) {
      const made = event.target.closest("tr[data-row]");
      if (made) rove(Number(made.dataset.row));
    }

    function keyed(event) {
      const place = shownRows.indexOf(at);
      const last = shownRows.length - 1;
      const to = { ArrowDown: Math.min(last, place + 1), ArrowUp: Math.max(0, place - 1), Home: 0, End: last, PageDown: Math.min(last, place + 10), PageUp: Math.max(0, place - 10) }[event.key];
      if (to !== undefined && last >= 0) {
        rove(shownRows[to]);
        lines.get(at).focus();
      } else if (event.key === "Enter" && at >= 0) choose(at);
      else if (event.key === " " && at >= 0) toggle(at);
      else return;
      event.preventDefault();
      event.stopPropagation();
    }

    function reload() {
      status.say("waiting for the kernel");
      refresh.disabled = true;
      model.send({ kind: "refresh" });
    }

    // --- the comparison ---------------------------------------------------------------------------
    function showComparison(open) {
      comparison.hidden = !open;
      if (!open) return comparison.replaceChildren();
      const rows = model.get("_rows");
      const { names = [], values = [], same = [] } = model.get("_settings") ?? {};
      const chosen = [...marked].filter((row) => rows[row]);
      const entry = (name, texts) => ({ name, texts, differs: new Set(texts.filter((text) => text !== "–")).size > 1 || new Set(texts).size > 1 });
      const results = COLUMNS.slice(1).filter(([key]) => !["method", "dataset"].includes(key)).map((column) => entry(column[1], chosen.map((row) => cellText(rows[row], column))));
      const settings = names.map((name, index) => entry(name, chosen.map((row) => values[row]?.[index] ?? "–")));
      const alike = [...settings.filter((setting) => !setting.differs).map(({ name, texts }) => [name, texts[0]]), ...same];
      const line = ({ name, texts, differs }) => make("tr", { className: differs ? "vptsp-differs" : "" }, make("th", { scope: "row" }, name), ...texts.map((text) => make("td", {}, text)));
      const part = (title, entries) => (entries.length ? [make("tr", { className: "vptsp-part" }, make("th", { colSpan: chosen.length + 1, scope: "colgroup" }, title)), ...entries.map(line)] : []);
      const differing = settings.filter(({ differs }) => differs);
      const head = make("tr", {}, make("td"), ...chosen.map((row) => make("th", { scope: "col", className: "vptsp-name" }, rows[row].name)));
      const big = make("table", { className: "vptsp-compared" }, make("thead", {}, head), make("tbody", {}, ...part(differing.length ? "settings that differ" : "no setting differs", differing.length ? differing : [{ name: "", texts: chosen.map(() => ""), differs: false }]), ...part("results", results)));
      const rest = make("details", {}, make("summary", {}, `${alike.length} settings are the same`), make("table", { className: "vptsp-compared" }, ...alike.map(([name, text]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, text)))));
      const close = make("button", { type: "button", onclick: () => (showComparison(false), compare.focus()) }, "Close");
      comparison.replaceChildren(make("div", { className: "vptsp-bar" }, make("strong", {}, `${chosen.length} runs compared`), make("span", { className: "vptsp-ends" }, close)), make("div", { className: "vptsp-scroll" }, big), ...(alike.length ? [rest] : []));
      comparison.scrollIntoView({ block: "nearest" });
    }

    const keys = (event) => {
      if (event.key === "?" && event.target !== filter) help.toggle();
      else if (event.key === "Escape" && event.target !== filter) {
        if (!comparison.hidden) {
          showComparison(false);
          compare.focus();
        } else if (model.get("_chosen") >= 0) choose(-1);
        else return;
        event.stopPropagation();
      }
    };
    /** @param {Message} message */
    const answered = (message) => {
      if (message.kind !== "answered") return;
      refresh.disabled = false;
      status.say(model.get("status") || `${count(model.get("_rows").length)} runs found`);
    };
    root.addEventListener("keydown", keys);
    model.on("msg:custom", answered);
    const endTraits = onTraits(model, { _rows: buildRows, folder: buildRows, _chosen: () => (showChosen(), rove(shownRows.includes(model.get("_chosen")) ? model.get("_chosen") : at)), _marked: showMarked });
    const endTheme = onTheme((dark) => root.classList.toggle("vptsp-dark", dark));
    el.append(root);
    buildRows();
    return () => {
      endTraits();
      endTheme();
      status.end();
      model.off("msg:custom", answered);
      root.remove();
    };
  },
};
