// A run watched while it trains: state, progress, curves, confused classes, and buttons to stop and resume it.

import { make, svg } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { count } from "../../front/text.js";
import { onTheme } from "../../front/theme.js";
/** @import { Message } from "../../front/model.js" */

/** Round values that cover low..high in about `most` steps. */
function ticks(low, high, most, whole = false) {
  const rough = (high - low || 1) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough * 0.999) ?? 10 * power;
  if (whole) step = Math.max(1, Math.round(step));
  const values = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) values.push(index * step);
  return { values, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function duration(seconds) {
  const all = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)} h` : minutes ? `${minutes}:${two(rest)} min` : `${rest} s`;
}

/** A curve over epochs with numbered axes; hovering or the arrow keys read single epochs. */
class Chart {
  /** @type {(epoch: number) => number} */ x;

  constructor(title, unit, colour, form) {
    this.title = title;
    this.unit = unit;
    this.colour = colour;
    this.form = form;
    this.at = -1;
    /** @type {number[][]} */
    this.points = [];
    /** @type {number[][]} */
    this.faint = [];
    this.most = 1;
    this.readout = make("span", { className: "vptsp-readout", "aria-live": "polite" });
    this.plot = svg("svg", { role: "img", tabindex: "0", class: `vptsp-plot vptsp-${colour}` });
    this.note = make("span", { className: "vptsp-note" });
    this.heading = make("strong", {}, title);
    const head = make("div", { className: "vptsp-charthead" }, this.heading, this.readout, this.note);
    this.element = make("figure", { className: "vptsp-chart" }, head, this.plot);
    this.plot.addEventListener("pointermove", (event) => this.point(event.clientX - this.plot.getBoundingClientRect().left));
    this.plot.addEventListener("pointerleave", () => this.mark(-1));
    this.plot.addEventListener("blur", () => this.mark(-1));
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.element);
  }

  /** `points` are [epoch, value] and joined, `faint` likewise and drawn thin; `note` stands at the right of the title. */
  show(points, faint, most, note = "") {
    const before = this.points.length;
    this.points = points;
    this.faint = faint;
    this.most = Math.max(1, most);
    if (this.at >= points.length || before !== points.length) this.at = -1;
    this.note.textContent = note;
    this.draw();
  }

  rename(title) {
    this.title = this.heading.textContent = title;
  }

  draw() {
    const width = Math.max(240, this.element.clientWidth);
    const [height, left, right, top, bottom] = [210, 50, 12, 10, 40];
    const values = [...this.points, ...this.faint].map((point) => point[1]);
    this.plot.setAttribute("width", String(width));
    this.plot.setAttribute("height", String(height));
    this.plot.setAttribute("aria-label", this.spoken());
    if (!values.length) {
      const text = svg("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "no epoch is finished yet");
      this.plot.replaceChildren(text);
      this.say();
      return;
    }
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const room = (high - low || Math.abs(high) || 1) * 0.08;
    [low, high] = this.unit === "percent" ? [Math.max(0, low - room), Math.min(100, high + room)] : [low - room, high + room];
    this.x = (epoch) => left + (epoch / this.most) * (width - left - right);
    const y = (value) => height - bottom - ((value - low) / (high - low || 1)) * (height - top - bottom);
    const parts = [];
    const rows = ticks(low, high, 7);
    for (const value of rows.values) {
      parts.push(svg("line", { class: "vptsp-gridline", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
      parts.push(svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(rows.digits)));
    }
    for (const value of ticks(0, this.most, Math.max(2, Math.floor((width - left) / 60)), true).values) {
      parts.push(svg("line", { class: "vptsp-tick", x1: this.x(value), x2: this.x(value), y1: height - bottom, y2: height - bottom + 4 }));
      parts.push(svg("text", { x: this.x(value), y: height - bottom + 16, "text-anchor": "middle" }, String(value)));
    }
    parts.push(svg("line", { class: "vptsp-axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));
    parts.push(svg("text", { x: left + (width - left - right) / 2, y: height - 5, "text-anchor": "middle" }, "epoch"));
    const middle = top + (height - top - bottom) / 2;
    parts.push(svg("text", { x: 11, y: middle, "text-anchor": "middle", transform: `rotate(-90 11 ${middle})` }, this.unit));
    const path = (points) => points.map(([epoch, value]) => `${this.x(epoch).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    if (this.faint.length > 1) parts.push(svg("polyline", { class: "vptsp-faint", points: path(this.faint) }));
    parts.push(svg("polyline", { class: "vptsp-line", points: path(this.points) }));
    if (this.points.length <= 60) {
      for (const [epoch, value] of this.points) parts.push(svg("circle", { class: "vptsp-dot", cx: this.x(epoch), cy: y(value), r: 3 }));
    }
    const marked = this.points[this.at];
    if (marked) {
      const place = this.x(marked[0]);
      parts.push(svg("line", { class: "vptsp-cross", x1: place, x2: place, y1: top, y2: height - bottom }));
      parts.push(svg("circle", { class: "vptsp-dot", cx: place, cy: y(marked[1]), r: 5 }));
    }
    this.plot.replaceChildren(...parts);
    this.say();
  }

  say() {
    const point = this.points[this.at] ?? this.points.at(-1);
    if (point) this.readout.textContent = `${this.form(point[1])} ${this.at >= 0 ? "at" : "after"} epoch ${point[0]}`;
    else this.readout.textContent = this.faint.length ? `${this.form(this.faint[this.faint.length - 1][1])} at the latest step` : "";
  }

  spoken() {
    if (!this.points.length) return `${this.title}: no epoch is finished yet`;
    const [first, last] = [this.points[0], this.points[this.points.length - 1]];
    return `${this.title} over epochs: ${this.form(first[1])} after epoch ${first[0]}, ${this.form(last[1])} after epoch ${last[0]}`;
  }

  point(x) {
    if (!this.points.length) return;
    const distances = this.points.map(([epoch]) => Math.abs(this.x(epoch) - x));
    this.mark(distances.indexOf(Math.min(...distances)));
  }

  key(event) {
    const last = this.points.length - 1;
    const from = this.at < 0 ? last : this.at;
    const to = { ArrowLeft: Math.max(0, from - 1), ArrowRight: Math.min(last, from + 1), Home: 0, End: last, Escape: -1 }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.mark(to);
  }

  mark(index) {
    if (index === this.at) return;
    this.at = index;
    this.draw();
  }

  close() {
    this.sizes.disconnect();
  }
}

export default {
  render({ model, el }) {
    const badge = make("span", { className: "vptsp-badge" });
    const name = make("strong", { className: "vptsp-runname" });
    const stop = make("button", { type: "button", onclick: () => ask("stop") }, "Stop");
    const resume = make("button", { type: "button", onclick: () => ask("resume") }, "Resume");
    const help = helpPanel([
      ["← →, Home, End", "in a curve: read single epochs"],
      ["Esc", "back to the latest epoch"],
      ["Stop", "the run ends after its current step, saves itself and can be resumed"],
      ["Resume", "a new process goes on with the run; it outlives this notebook"],
      ["?", "this list"],
    ]);
    const ends = make("span", { className: "vptsp-ends" }, ...(model.live === false ? [] : [stop, resume]));
    ends.append(make("button", { type: "button", "aria-label": "keys and buttons", title: "keys and buttons (?)", onclick: help.toggle }, "?"));
    const fill = make("div", { className: "vptsp-fill" });
    const bar = make("div", { className: "vptsp-progress", role: "progressbar", "aria-label": "steps done", "aria-valuemin": 0, "aria-valuemax": 100 }, fill);
    const facts = make("div", { className: "vptsp-facts" });
    const trouble = make("div", { className: "vptsp-trouble", hidden: true });
    const loss = new Chart("Training loss", "loss", "orange", (value) => value.toFixed(3));
    const recall = new Chart("Validation R@1", "percent", "blue", (value) => `${value.toFixed(1)} %`);
    const group = make("select", { "aria-label": "what is compared", onchange: () => showConfused() });
    const confusedTitle = make("strong", {});
    const confusedTable = make("table", { className: "vptsp-pairs" });
    const explained = make("div", { className: "vptsp-explained" });
    const confused = make("section", { className: "vptsp-confused" }, make("div", { className: "vptsp-bar" }, confusedTitle, group), confusedTable, explained);
    const charts = make("div", { className: "vptsp-charts" }, loss.element, recall.element);
    const none = make("div", { className: "vptsp-none", hidden: true }, "No run is watched: choose one in a linked RunPicker, or set run to a run directory.");
    const body = make("div", {}, bar, facts, trouble, charts, confused);
    const status = statusLine(model);
    const head = make("div", { className: "vptsp-head" }, name, badge, ends);
    const root = make("div", { className: "vptsp vptsp-monitor" }, head, help.table, none, body, status.line);

    function ask(kind) {
      status.say("waiting for the kernel");
      stop.disabled = resume.disabled = true;
      model.send({ kind });
    }

    function showNow() {
      const now = model.get("_now") ?? {};
      const known = now.state !== undefined;
      none.hidden = known;
      body.hidden = badge.hidden = !known;
      name.textContent = known ? now.name : "";
      stop.disabled = !["training", "starting"].includes(now.state) || now.stopping || now.scoring;
      resume.disabled = !["stopped", "killed", "failed"].includes(now.state);
      if (!known) return;
      badge.textContent = now.state;
      badge.dataset.state = now.state;
      const share = now.state === "done" ? 1 : now.steps ? now.step / now.steps : 0;
      fill.style.width = `${100 * share}%`;
      fill.dataset.state = now.state;
      bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
      const parts = [];
      const training = now.state === "training";
      if (now.steps) {
        const epoch = training && now.step < now.steps ? Math.min(now.epochs, Math.floor((now.step * now.epochs) / now.steps) + 1) : now.epoch;
        parts.push(`epoch ${epoch} of ${now.epochs}`, `step ${count(now.step)} of ${count(now.steps)}`);
      } else if (training) parts.push("nothing to train");
      if (now.speed) parts.push(`${count(Math.round(now.speed))} images/s`);
      if (now.scoring) parts.push("scoring the images");
      else if (training && now.left !== null) parts.push(`about ${duration(now.left)} left`);
      if (now.stopping) parts.push("stops after its current step");
      if (now.quiet > 30) parts.push(`no news for ${duration(now.quiet)}`);
      facts.replaceChildren(...parts.map((part) => make("span", {}, part)));
      trouble.textContent = now.message;
      trouble.hidden = !now.message;
    }

    function showCurves() {
      const { epoch = [], loss: losses = [], judged = [], title = "R@1", live = [] } = model.get("_curves") ?? {};
      const most = Math.max(model.get("_now")?.epochs ?? 0, epoch.at(-1) ?? 0);
      const pairs = (values, scale) => epoch.map((number, index) => [number, values[index] === null ? null : values[index] * scale]).filter(([, value]) => value !== null);
      loss.show(pairs(losses, 1), live, most, live.length > 1 ? "thin: single steps" : "");
      const scored = pairs(judged, 100);
      recall.rename(`Validation ${title}`);
      const best = scored.reduce((top, point) => (top === null || point[1] > top[1] ? point : top), null);
      recall.show(scored, [], most, best ? `best ${best[1].toFixed(1)} % after epoch ${best[0]}` : "");
      recall.element.hidden = epoch.length > 0 && !scored.length && model.get("_now")?.state !== "training";
    }

    function showGroups() {
      const { groups = [], epoch } = model.get("_confused") ?? {};
      const chosen = Math.max(0, group.selectedIndex);
      confused.hidden = !groups.length;
      confusedTitle.textContent = `Most confused classes after epoch ${epoch}`;
      group.replaceChildren(...groups.map(({ title }) => make("option", {}, title)));
      group.selectedIndex = Math.min(chosen, groups.length - 1);
      showConfused();
    }

    function showConfused() {
      const chosen = (model.get("_confused")?.groups ?? [])[group.selectedIndex];
      if (!chosen) return confusedTable.replaceChildren();
      const row = (cells, tag) => make("tr", {}, ...cells.map((cell, column) => make(tag, { className: column > 1 ? "vptsp-number" : "vptsp-name", ...(tag === "th" ? { scope: "col" } : {}) }, cell)));
      const rows = chosen.rows.length ? chosen.rows.map((cells) => row(cells, "td")) : [make("tr", {}, make("td", { colSpan: chosen.header.length }, "there is no other class to be confused with"))];
      explained.textContent = chosen.note;
      confusedTable.replaceChildren(make("thead", {}, row(chosen.header, "th")), make("tbody", {}, ...rows));
    }

    /** @param {Message} message */
    const answered = (message) => {
      if (message.kind !== "answered") return;
      status.say(model.get("status") || "");
      showNow();
    };
    const keys = (event) => {
      if (event.key === "?" && !["INPUT", "SELECT"].includes(event.target.tagName)) help.toggle();
    };
    root.addEventListener("keydown", keys);
    model.on("msg:custom", answered);
    const endTraits = onTraits(model, { _now: () => (showNow(), showCurves()), _curves: showCurves, _confused: showGroups });
    const endTheme = onTheme((dark) => root.classList.toggle("vptsp-dark", dark));
    el.append(root);
    showNow();
    showCurves();
    showGroups();
    return () => {
      endTraits();
      endTheme();
      status.end();
      model.off("msg:custom", answered);
      loss.close();
      recall.close();
      root.remove();
    };
  },
};
