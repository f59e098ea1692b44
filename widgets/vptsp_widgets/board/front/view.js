// A sweep as a live table: one row per job, sorted, filtered, chosen; what it needs of a kernel is to ask it to stop.

import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { count } from "../../front/text.js";
import { onTheme } from "../../front/theme.js";
import { debounced } from "../../front/timing.js";
/** @import { Message } from "../../front/model.js" */

/** @typedef {Record<string, any>} Job - a row of `_rows`, with what `_running` says of it */
/** @typedef {[key: string, title: string, value: ((job: Job) => any) | null, cell: (job: Job, index: number) => any, kind?: string]} Column */

const STATES = ["running", "failed", "killed", "interrupted", "unreadable", "done", "queued"];
const SEGMENTS = ["done", "running", "interrupted", "failed", "killed", "unreadable"];
const MOST = 200; // rows at once; a table of thousands would make every change slow
const percent = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)} %`);
const several = (number, one) => `${count(number)} ${one}${number === 1 ? "" : "s"}`;

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const all = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)} h` : minutes ? `${minutes}:${two(rest)} min` : `${rest} s`;
}

/** @param {Job} job */
const epochs = (job) => (job.epochs ? `${job.epoch ?? 0} of ${several(job.epochs, "epoch")}` : "");

function moment(seconds) {
  const time = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

/**
 * An element whose `dataset.state` decides its colour.
 * @param {string} state
 */
function badge(state, className = "vptsp-badge") {
  const made = make("span", { className }, state);
  made.dataset.state = state;
  return made;
}

/** Numbers as numbers wherever both are, else as text. */
const collator = new Intl.Collator("en", { numeric: true });
function compared(left, right) {
  const numbers = [Number(left), Number(right)];
  return numbers.some(Number.isNaN) || left === "" || right === "" ? collator.compare(left, right) : numbers[0] - numbers[1];
}

/**
 * Where JupyterLab's server has the file, and how a browser asks for it; null outside JupyterLab and its folder.
 * @param {string} path
 * @param {string} home
 */
function placeOf(path, home) {
  const element = document.getElementById("jupyter-config-data");
  if (!element) return null;
  const { serverRoot = "", baseUrl = "/" } = JSON.parse(element.textContent);
  const root = serverRoot.replace(/^~/, home).replace(/\/+$/, "");
  if (!serverRoot || !path.startsWith(`${root}/`)) return null;
  const relative = path.slice(root.length + 1);
  return { relative, base: baseUrl, encoded: relative.split("/").map(encodeURIComponent).join("/") };
}

export default {
  render({ model, el }) {
    const live = model.live !== false;
    let sort = { key: "", down: false }; // "": the plan's order
    let state = ""; // the only one that is shown; "": all
    let most = MOST;
    let fitting = []; // rows that pass the filters, in the order on screen
    let shownRows = []; // the first `most` of them
    let at = -1; // the row that has the keyboard
    /** @type {Column[]} */
    let columns = [];
    let lines = new Map(); // row -> {tr, cells}
    let layout = "";
    let stars = new Set();

    // --- head -------------------------------------------------------------------------------------
    const name = make("strong", { className: "vptsp-sweepname" });
    const phase = badge("");
    const stop = make("button", { type: "button", onclick: () => (model.get("_head").wish ? ask("withdraw") : confirm(true)) });
    const help = helpPanel([
      ["↑ ↓, Page ↑ ↓, Home, End", "move among the jobs"],
      ["Enter, click", "choose the job: all its parameters, its whole error, its files; linked views follow"],
      ["Esc", "choose none"],
      ["Enter on a heading", "sort by it; again: the other way round; again: the plan's order"],
      ["a state, for example done", "show only its jobs; again: all"],
      ["★", "the best of all jobs by validation so far; test values never decide"],
      ["Stop", "asks, then: running jobs write a checkpoint and end, waiting ones do not start"],
      ["?", "this list"],
    ]);
    const helpButton = make("button", { type: "button", "aria-label": "keys and buttons", title: "keys and buttons (?)", onclick: help.toggle }, "?");
    const head = make("div", { className: "vptsp-head" }, name, phase, make("span", { className: "vptsp-ends" }, live ? stop : null, helpButton));
    const question = make("span", {});
    const yes = make("button", { type: "button", className: "vptsp-danger", onclick: () => (confirm(false), ask("stop")) }, "Stop the sweep");
    const no = make("button", { type: "button", onclick: () => confirm(false) }, "Let it run");
    const confirmation = make("div", { className: "vptsp-confirm", role: "group", "aria-label": "confirm to stop", hidden: true }, question, yes, no);
    const bar = make("div", { className: "vptsp-progress", role: "progressbar", "aria-label": "work done", "aria-valuemin": 0, "aria-valuemax": 100 });
    const segments = new Map(SEGMENTS.map((word) => [word, badge(word, "vptsp-segment")]));
    for (const segment of segments.values()) segment.textContent = "";
    bar.append(...segments.values());
    const facts = make("div", { className: "vptsp-facts" });
    const bests = make("div", { className: "vptsp-bests" });
    const hint = make("div", { className: "vptsp-hint", hidden: true });

    // --- table ------------------------------------------------------------------------------------
    const chips = make("span", { className: "vptsp-chips", role: "group", "aria-label": "show only jobs of one state" });
    const filter = make("input", { type: "search", placeholder: "filter: every word must match", "aria-label": "filter jobs; every word must match some column", oninput: debounced(() => ((most = MOST), showRows()), 60) });
    const shownCount = make("span", { className: "vptsp-count", "aria-live": "polite" });
    const more = make("button", { type: "button", hidden: true, onclick: () => ((most += MOST), showRows()) });
    const headRow = make("tr", {});
    const body = make("tbody", { onclick: clicked, onkeydown: keyed, onfocusin: entered });
    const table = make("table", { className: "vptsp-jobs", "aria-label": "jobs" }, make("thead", {}, headRow), body);
    const scroll = make("div", { className: "vptsp-scroll" }, table);
    const detail = make("section", { className: "vptsp-detail", hidden: true, "aria-label": "the chosen job" });
    const status = statusLine(model);
    const tools = make("div", { className: "vptsp-bar" }, chips, filter, shownCount);
    const root = make("div", { className: "vptsp vptsp-board" }, head, help.table, confirmation, bar, facts, bests, hint, tools, scroll, more, detail, status.line);

    const row = (index) => {
      const still = (model.get("_rows") ?? [])[index];
      const moving = (model.get("_running") ?? {})[index];
      return moving ? { ...still, ...moving } : still;
    };

    function ask(kind) {
      status.say("waiting for the kernel");
      stop.disabled = true;
      model.send({ kind });
    }

    function confirm(open) {
      const had = confirmation.contains(document.activeElement);
      confirmation.hidden = !open;
      if (open) {
        const { running = 0, queued = 0 } = model.get("_head").counts;
        question.textContent = `Stop the sweep? ${several(running, "running job")} will write a checkpoint and end, ${several(queued, "waiting job")} will not start. Starting it again goes on from there.`;
        no.focus();
      } else if (had) stop.focus();
    }

    function showHead() {
      const now = model.get("_head") ?? {};
      if (!now.counts) {
        for (const part of [phase, bar, tools, scroll, stop]) part.hidden = true;
        name.textContent = model.get("folder") ?? "";
        return;
      }
      for (const part of [phase, bar, tools, scroll, stop]) part.hidden = false;
      name.textContent = now.name;
      name.title = now.folder;
      phase.textContent = phase.dataset.state = now.phase;
      const running = ["running", "stopping"].includes(now.phase);
      stop.textContent = now.wish ? "Withdraw the stop" : "Stop …";
      stop.disabled = !running && !now.wish;
      stop.title = stop.disabled ? "nobody runs this sweep now" : "";
      if (!running || now.wish) confirm(false);
      const total = (model.get("_rows") ?? []).length;
      const widths = Object.fromEntries(SEGMENTS.map((word) => [word, now.counts[word] ?? 0]));
      widths.running = Object.values(model.get("_running") ?? {}).reduce((sum, { fraction }) => sum + (fraction ?? 0), 0);
      for (const [word, segment] of segments) segment.style.width = `${(100 * widths[word]) / Math.max(1, total)}%`;
      bar.setAttribute("aria-valuenow", String(Math.round(100 * now.fraction)));
      const parts = [`${Math.floor(100 * now.fraction)} % of the work done`];
      if (now.left !== null) parts.push(`about ${duration(now.left)} left`);
      if (running && now.workers) parts.push(`${now.workers} at a time`);
      if (now.started) parts.push(`started ${moment(now.started)}`);
      if (now.phase === "stopping") parts.push("running jobs write a checkpoint and end");
      facts.replaceChildren(...parts.map((part) => make("span", {}, part)));
      const retry = { "not running": "", ended: " --retry-failed" }[now.phase];
      hint.hidden = retry === undefined;
      if (!hint.hidden) {
        const why = now.phase === "ended" ? "Some jobs failed by their own error; they run again with " : "Nobody runs this sweep now; it goes on with ";
        hint.replaceChildren(why, make("code", {}, `vptsp sweep ${/\s/.test(now.folder) ? `'${now.folder}'` : now.folder}${retry}`));
      }
      stars = new Set(now.best.map((best) => best.row));
      const best = now.best.map(({ metric, value, row: index }) => {
        const button = make("button", { type: "button", className: "vptsp-best", title: "choose this job", onclick: () => (choose(index), showRows(), reveal(index)) }, row(index)?.title ?? "");
        return make("span", {}, make("span", { className: "vptsp-star", "aria-hidden": "true" }, "★ "), `best so far by validation: ${metric} `, make("strong", {}, percent(value)), " ", button);
      });
      // a button that has the keyboard stays the same one
      const key = JSON.stringify([now.best, now.best.map((one) => row(one.row)?.title)]);
      if (bests.dataset.key !== key) bests.replaceChildren(...best);
      bests.dataset.key = key;
      showChips(now.counts);
    }

    function showChips(counts) {
      const words = STATES.filter((word) => counts[word] || word === state);
      const key = words.join();
      if (chips.dataset.key !== key) {
        chips.replaceChildren(
          ...words.map((word) => {
            const dot = badge(word, "vptsp-dot");
            dot.textContent = "";
            const chip = make("button", { type: "button", onclick: () => ((state = state === word ? "" : word), (most = MOST), showRows(), showHead()) }, dot, make("span", {}));
            chip.dataset.word = word;
            return chip;
          }),
        );
        chips.dataset.key = key;
      }
      for (const chip of chips.querySelectorAll("button")) {
        const { word = "" } = chip.dataset;
        /** @type {Node} */ (chip.lastChild).textContent = `${count(counts[word] ?? 0)} ${word}`;
        chip.setAttribute("aria-pressed", String(state === word));
      }
    }

    // --- columns ----------------------------------------------------------------------------------
    /** [key, title, value to sort by, what makes the cell: text or nodes, kind] */
    function columnsOf(rows) {
      const names = model.get("_head")?.names ?? [];
      const metrics = [...new Set(rows.map(({ metric }) => metric).filter(Boolean))];
      const one = metrics.length === 1 ? ` ${metrics[0]}` : "";
      const score = (/** @type {number | null} */ value, /** @type {Job} */ { metric }) => (value === null || one ? percent(value) : `${percent(value)} ${metric}`);
      /** @type {Column[]} */
      const found = [["state", "state", (job) => STATES.indexOf(job.state), (job) => [badge(job.state)]]];
      if (rows.some(({ label }) => label)) found.push(["label", "run", (job) => job.label || null, (job) => job.label || "–", "name"]);
      names.forEach((title, place) => found.push([`p${place}`, title, (job) => job.values[place], (job) => job.values[place] ?? make("span", { className: "vptsp-faded" }, "default"), "value"]));
      if (!names.length && found.length === 1) found.push(["title", "job", (job) => job.title, (job) => job.title, "name"]);
      found.push(
        ["progress", "progress", (job) => job.fraction, progressCell, "share"],
        ["best", `val${one}`, (job) => job.best, (job, index) => (stars.has(index) ? [make("span", { className: "vptsp-star", title: "best by validation so far", role: "img", "aria-label": "best so far" }, "★"), ` ${score(job.best, job)}`] : score(job.best, job)), "number"],
        ["test", `test${one}`, (job) => job.test, (job) => score(job.test, job), "number"],
        ["seconds", "time", (job) => job.seconds, (job) => duration(job.seconds), "number"],
        .../** @type {Column[]} */ (["running", "stopping"].includes(model.get("_head")?.phase) ? [["left", "left", (job) => job.left, (job) => duration(job.left), "number"]] : []),
        ["attempts", "tries", (job) => job.attempts, (job) => String(job.attempts), "number"],
        ["files", "files", null, (job) => links(job, false), "files"],
      );
      return found;
    }

    /** @param {Job} job */
    function progressCell(job) {
      const first = job.error.split("\n", 1)[0];
      const fill = badge(job.state, "vptsp-fill");
      fill.textContent = "";
      fill.style.width = `${100 * (job.fraction ?? 0)}%`;
      if (first) return make("span", { className: "vptsp-error", title: first }, first);
      if (job.state === "queued") return make("span", { className: "vptsp-faded" }, "waiting");
      const where = epochs(job) || (job.fraction === null ? job.place : `${Math.floor(100 * job.fraction)} %`);
      return [make("span", { className: "vptsp-small" }, fill), make("span", { className: "vptsp-faded" }, where)];
    }

    /** @param {Job} job */
    function links(job, whole) {
      const now = model.get("_head");
      const files = { notebook: "notebook.ipynb", log: "log.txt", report: "report.html" };
      return job.files.flatMap((kind, place) => {
        const path = `${now.place}/${job.name}/${files[kind]}`;
        const found = live ? placeOf(path, now.home) : null;
        const gap = place ? [whole ? make("br") : " "] : [];
        const said = whole ? `${now.folder}/${job.name}/${files[kind]}` : kind;
        if (!found) return [...gap, make("span", { className: "vptsp-faded", title: path }, said)];
        // a report runs scripts, which JupyterLab's own viewer would keep from running
        const address = kind === "report" ? `${found.base}files/${found.encoded}` : `${found.base}lab/tree/${found.encoded}`;
        const link = make("a", { href: address, target: "_blank", rel: "noopener", title: path, "aria-label": `${kind} of ${job.title}` }, said);
        if (kind !== "report") {
          link.dataset.commandlinkerCommand = "docmanager:open";
          link.dataset.commandlinkerArgs = JSON.stringify({ path: found.relative });
        }
        return [...gap, link];
      });
    }

    function showColumns(rows) {
      columns = columnsOf(rows);
      const key = JSON.stringify([columns.map((column) => column.slice(0, 2)), rows.map((job) => job.name)]);
      if (key === layout) return;
      layout = key;
      lines = new Map();
      at = -1;
      if (!columns.some(([own]) => own === sort.key)) sort = { key: "", down: false };
      headRow.replaceChildren(
        ...columns.map(([own, title, value, , kind]) => {
          const arrow = make("span", { className: "vptsp-arrow", "aria-hidden": "true" });
          const parts = title.split(/(?<=_)/).flatMap((part) => [make("wbr"), part]); // long settings break at "_"
          const inside = value ? make("button", { type: "button", onclick: () => sortBy(own) }, ...parts, arrow) : make("span", { className: "vptsp-plainhead" }, title);
          const made = make("th", { scope: "col", className: kind ? `vptsp-${kind}` : "" }, inside);
          made.dataset.key = own;
          return made;
        }),
      );
    }

    function sortBy(key) {
      const first = ["progress", "best", "test", "seconds", "attempts"].includes(key); // the largest of these
      if (sort.key !== key) sort = { key, down: first };
      else if (sort.down === first) sort = { key, down: !first };
      else sort = { key: "", down: false };
      showRows();
    }

    /** The row's <tr>, with those cells made anew that have changed: a link that has the keyboard keeps it. */
    function line(index) {
      const job = row(index);
      let made = lines.get(index);
      if (!made) {
        const cells = columns.map(([, , , , kind]) => make("td", { className: kind ? `vptsp-${kind}` : "" }));
        made = { tr: make("tr", { tabIndex: -1 }, ...cells), cells, keys: [] };
        made.tr.dataset.row = index;
        lines.set(index, made);
      }
      columns.forEach(([, , , content], place) => {
        const inside = [content(job, index)].flat();
        const key = inside.map((part) => part.outerHTML ?? part).join("\0");
        if (made.keys[place] === key) return;
        made.keys[place] = key;
        made.cells[place].replaceChildren(...inside);
      });
      return made.tr;
    }

    function order(rows) {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      /** @param {Job} job */
      const fits = (job) => {
        if (state && job.state !== state) return false;
        const all = [job.state, job.title, job.label, job.error, ...job.parameters.map(([key, value]) => `${key}=${value}`)].join("\n").toLowerCase();
        return words.every((word) => all.includes(word));
      };
      const found = rows.map((_, index) => index).filter((index) => fits(rows[index]));
      const value = columns.find(([key]) => key === sort.key)?.[2];
      if (!value) return found;
      return found.sort((a, b) => {
        const [left, right] = [value(rows[a]) ?? null, value(rows[b]) ?? null];
        if (left === null || right === null) return Number(left === null) - Number(right === null) || a - b;
        const way = compared(left, right);
        return (sort.down ? -way : way) || a - b;
      });
    }

    function showRows() {
      const rows = (model.get("_rows") ?? []).map((_, index) => row(index));
      showColumns(rows);
      fitting = order(rows);
      const chosen = fitting.indexOf(model.get("_chosen"));
      while (chosen >= most) most += MOST;
      shownRows = fitting.slice(0, most);
      const made = shownRows.map(line);
      const nothing = make("tr", {}, make("td", { colSpan: columns.length, className: "vptsp-faded" }, "no job matches the filter"));
      const wanted = made.length ? made : [nothing];
      if (wanted.length !== body.children.length || wanted.some((tr, place) => tr !== body.children[place])) {
        const focused = body.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
        body.replaceChildren(...wanted);
        if (focused?.isConnected) focused.focus({ preventScroll: true });
      }
      const [shown, all] = [shownRows.length, rows.length].map(count);
      const says = `${shown} of ${all} jobs shown`;
      if (shownCount.textContent !== says) shownCount.textContent = says;
      const rest = fitting.length - shownRows.length;
      more.hidden = rest <= 0;
      more.textContent = `Show ${Math.min(MOST, rest)} more of ${count(fitting.length)}`;
      for (const th of headRow.cells) {
        const mine = th.dataset.key === sort.key;
        if (th.querySelector("button")) th.setAttribute("aria-sort", mine ? (sort.down ? "descending" : "ascending") : "none");
        const arrow = th.querySelector(".vptsp-arrow");
        if (arrow) arrow.textContent = mine ? (sort.down ? " ▾" : " ▴") : "";
      }
      showChosen();
      rove(shownRows.includes(at) ? at : chosen >= 0 ? model.get("_chosen") : shownRows[0] ?? -1);
    }

    /** Makes one row the one that Tab reaches. */
    function rove(index) {
      if (lines.has(at)) lines.get(at).tr.tabIndex = -1;
      at = index;
      if (lines.has(at)) lines.get(at).tr.tabIndex = 0;
    }

    const reveal = (index) => lines.get(index)?.tr.scrollIntoView({ block: "nearest" });

    // --- choosing ---------------------------------------------------------------------------------
    function choose(index) {
      model.set("_chosen", index);
      model.save_changes();
      status.say(index >= 0 ? `${row(index).title} is chosen` : "no job is chosen");
      showChosen();
    }

    function showChosen() {
      const chosen = model.get("_chosen");
      for (const [index, { tr }] of lines) {
        tr.classList.toggle("vptsp-chosen", index === chosen);
        if (index === chosen) tr.setAttribute("aria-current", "true");
        else tr.removeAttribute("aria-current");
      }
      const job = row(chosen);
      detail.hidden = !job;
      const { seconds, left, fraction, place, ...calm } = job ?? {}; // what moves each second is in the table
      const key = JSON.stringify(calm);
      if (detail.dataset.key === key) return;
      detail.dataset.key = key;
      if (!job) return detail.replaceChildren();
      const fact = (title, ...inside) => make("div", {}, make("dt", {}, title), make("dd", {}, ...inside));
      const close = make("button", { type: "button", onclick: () => choose(-1) }, "Close");
      const heading = make("div", { className: "vptsp-head" }, badge(job.state), make("strong", { className: "vptsp-sweepname" }, job.title), make("span", { className: "vptsp-ends" }, close));
      const known = [
        job.epochs ? fact("trained", epochs(job)) : null,
        job.attempts ? fact("started", several(job.attempts, "time")) : null,
        job.memory ? fact("peak memory", `${(job.memory / 2 ** 30).toFixed(1)} GiB`) : null,
      ];
      const files = job.files.length ? fact("files", ...links(job, true)) : fact("directory", `${model.get("_head").folder}/${job.name}`);
      const parameters = job.parameters.map(([key, value]) => fact(key, value));
      detail.replaceChildren(
        heading,
        ...(job.error ? [make("pre", { className: "vptsp-trouble", tabIndex: 0, "aria-label": "error" }, job.error)] : []),
        make("dl", { className: "vptsp-values" }, ...parameters, ...known),
        make("dl", {}, files),
      );
    }

    function clicked(event) {
      const made = event.target.closest("tr[data-row]");
      if (!made || event.target.closest("a")) return;
      rove(Number(made.dataset.row));
      choose(at);
    }

    function entered(event) {
      const made = event.target.closest("tr[data-row]");
      if (made) rove(Number(made.dataset.row));
    }

    function keyed(event) {
      if (event.target.tagName === "A") return;
      const place = shownRows.indexOf(at);
      const last = shownRows.length - 1;
      const to = { ArrowDown: Math.min(last, place + 1), ArrowUp: Math.max(0, place - 1), Home: 0, End: last, PageDown: Math.min(last, place + 10), PageUp: Math.max(0, place - 10) }[event.key];
      if (to !== undefined && last >= 0) {
        rove(shownRows[to]);
        lines.get(at).tr.focus();
      } else if (event.key === "Enter" && at >= 0) choose(at);
      else return;
      event.preventDefault();
      event.stopPropagation();
    }

    const keys = (event) => {
      if (event.target === filter) return;
      if (event.key === "?") help.toggle();
      else if (event.key === "Escape") {
        if (!confirmation.hidden) confirm(false);
        else if (model.get("_chosen") >= 0) {
          if (detail.contains(document.activeElement)) lines.get(at)?.tr.focus();
          choose(-1);
        } else return;
        event.stopPropagation();
      }
    };
    /** @param {Message} message */
    const answered = (message) => {
      if (message.kind !== "answered") return;
      status.say(model.get("status") || "");
      showHead();
    };
    let pending = 0; // the traits of one look arrive one after the other
    const show = () => {
      pending ||= setTimeout(() => {
        pending = 0;
        showHead();
        showRows();
      });
    };
    root.addEventListener("keydown", keys);
    model.on("msg:custom", answered);
    const endTraits = onTraits(model, { _rows: show, _running: show, _head: show, _chosen: show });
    const endTheme = onTheme((dark) => root.classList.toggle("vptsp-dark", dark));
    el.append(root);
    showHead();
    showRows();
    return () => {
      clearTimeout(pending);
      endTraits();
      endTheme();
      status.end();
      model.off("msg:custom", answered);
      root.remove();
    };
  },
};
