// The player: the moment shown, and how it moves - played, scrubbed, by keys - with its controls below the picture.

import { make } from "../../front/dom.js";
import { clip } from "../../front/numbers.js";
/** @import { Film } from "./film.js" */

const SECONDS = 0.9; // from one epoch to the next

/** `moved` is called after each change of the moment, which runs from 0 to the number of the last epoch. */
export class Player {
  /** @type {Film} */ film;
  playing = false;
  /** @type {number | null} */ target;
  /** @type {number} */ frameRequest;

  constructor(moved) {
    this.moved = moved;
    this.moment = 0;
    this.button = make("button", { type: "button", title: "Play (Space)", "aria-label": "Play (Space)", onclick: () => this.toggle(), className: "vt-play" }, "▶");
    this.slider = make("input", {
      type: "range", min: 0, step: 0.01, className: "vt-slider", "aria-label": "Epoch",
      oninput: () => this.jump(Number(this.slider.value)), onchange: () => this.settle(), onkeydown: (event) => this.key(event),
    });
    this.ticks = make("div", { className: "vt-ticks", "aria-hidden": "true" });
    this.label = make("span", { className: "vt-label", "aria-hidden": "true" }); // the slider says the same
    this.speed = make("select", { "aria-label": "Speed" }, ...[["0.5", "½×"], ["1", "1×"], ["2", "2×"], ["4", "4×"]].map(([value, text]) => make("option", { value, selected: value === "1" }, text)));
    this.element = make("div", { className: "vt-transport" }, this.button, make("div", { className: "vt-track" }, this.slider, this.ticks), this.label, this.speed);
  }

  /** @param {Film} film */
  load(film, moment) {
    this.pause();
    this.film = film;
    this.moment = moment;
    this.slider.max = String(Math.max(film.times - 1, 1e-6));
    const single = film.times < 2;
    for (const control of [this.slider, this.button, this.speed]) control.disabled = single;
  }

  nearest() {
    return this.film.nearest(this.moment);
  }

  // --- moving -------------------------------------------------------------------------------------------
  show(moment) {
    this.moment = clip(moment, 0, this.film.times - 1);
    this.showTime();
    this.moved();
  }

  /** To a moment at once. */
  jump(moment) {
    this.pause();
    this.show(moment);
  }

  settle() {
    if (!this.playing) this.glide(this.nearest());
  }

  /** To an epoch in a moment's time, so that the eye can follow. */
  glide(time) {
    this.pause();
    this.run(clip(time, 0, this.film.times - 1), 3.5);
  }

  toggle() {
    if (this.playing) return this.pause();
    if (this.moment >= this.film.times - 1) this.moment = 0;
    this.playing = true;
    this.showPlaying();
    this.run(this.film.times - 1, null);
  }

  /** Moves to a moment: at `pace` epochs a second at least, or at the speed chosen. */
  run(target, pace) {
    cancelAnimationFrame(this.frameRequest);
    this.target = pace ? target : null;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (pace && (still || this.moment === target)) {
      this.target = null;
      return this.show(target);
    }
    let before = performance.now();
    let rest = 0;
    const far = Math.abs(target - this.moment);
    const step = (now) => {
      const passed = (now - before) / 1000;
      before = now;
      const each = pace ? Math.max(pace, far * 2.5) : Number(this.speed.value) / SECONDS;
      if (!pace && still) { // a slide show
        rest += passed * each;
        if (rest >= 1) { this.show(Math.floor(this.moment) + 1); rest = 0; }
      } else {
        const way = target - this.moment;
        this.show(Math.abs(way) <= passed * each ? target : this.moment + Math.sign(way) * passed * each);
      }
      if (this.moment !== target) this.frameRequest = requestAnimationFrame(step);
      else this.pause();
    };
    this.frameRequest = requestAnimationFrame(step);
  }

  pause() {
    cancelAnimationFrame(this.frameRequest);
    this.target = null;
    this.playing = false;
    this.showPlaying();
  }

  /** Arrows and the like over the epochs; true if the key was one of them. Arrows up and down: on the slider alone. */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const { times } = this.film;
    const here = this.target ?? this.moment; // keys pressed faster than a glide add up
    const up = this.slider === event.target ? { ArrowUp: Math.floor(here + 1.001), ArrowDown: Math.ceil(here - 1.001) } : {};
    const to = {
      ArrowRight: Math.floor(here + 1.001), ArrowLeft: Math.ceil(here - 1.001), Home: 0, End: times - 1,
      PageUp: this.nearest() + 5, PageDown: this.nearest() - 5, ...up,
    }[event.key];
    if (to === undefined) return false;
    event.preventDefault();
    event.stopPropagation();
    this.glide(to);
    return true;
  }

  // --- what the controls say ------------------------------------------------------------------------------
  showPlaying() {
    const word = this.playing ? "Pause (Space)" : "Play (Space)";
    this.button.textContent = this.playing ? "❚❚" : "▶";
    this.button.title = word;
    this.button.setAttribute("aria-label", word);
  }

  showTime() {
    const { film } = this;
    const text = `epoch ${film.epochs[this.nearest()]} of ${film.epochs.at(-1)}`;
    this.slider.value = String(this.moment);
    this.slider.setAttribute("aria-valuetext", text);
    this.slider.style.setProperty("--done", `${(100 * this.moment) / Math.max(1, film.times - 1)}%`);
    this.label.textContent = text;
  }

  /** Places of the epochs' numbers: all, or as many as there is room for. */
  showTicks() {
    const { epochs, times } = this.film;
    const room = Math.max(1, Math.floor(this.ticks.clientWidth / 34));
    const every = Math.max(1, Math.ceil((times - 1) / room));
    const shown = epochs.map((epoch, time) => [epoch, time]).filter(([, time]) => time === times - 1 || (time % every === 0 && times - 1 - time >= every * 0.7));
    this.ticks.replaceChildren(...shown.map(([epoch, time]) => {
      const share = time / Math.max(1, times - 1);
      return make("span", { style: { left: `calc(8px + (100% - 16px) * ${share})` } }, String(epoch));
    }));
  }
}
