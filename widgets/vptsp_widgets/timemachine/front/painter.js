// What is painted of a scene: points, the trails they left, rings around those that matter, and names.

import { clip } from "../../front/numbers.js";
import { sign } from "./looks.js";
/** @import { Scale, Scene } from "./stage.js" */

/** For one picture: `scene` says what is shown, `scale` where its points are on the canvas. */
export class Painter {
  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {Scale} scale
   */
  constructor(context, scene, scale) {
    this.context = context;
    this.scene = scene;
    this.scale = scale;
  }

  /** Everything: what has no light first, so that it lies below. */
  paint() {
    const { film, choice, looks, hovered } = this.scene;
    const { focused } = choice;
    const { paper, ink, accent } = looks.ink();
    const trailed = new Set(choice.trails);
    const points = [...Array(film.points).keys()].filter((point) => choice.isShown(point));
    const lit = (point) => !trailed.size || trailed.has(film.classOf(point));
    for (const point of points) if (!lit(point)) this.drawPoint(point, false);
    const bright = points.filter(lit);
    if (trailed.size) for (const point of bright) if (point >= film.images) this.drawTrail(point);
    if (focused >= 0 && choice.isShown(focused)) this.drawTrail(focused);
    if (hovered >= 0 && !trailed.has(film.classOf(hovered))) this.drawTrail(hovered);
    for (const point of bright) this.drawPoint(point, true);
    for (const image of choice.selected) if (choice.isShown(image)) this.drawRing(image, accent, 2);
    if (focused >= 0 && choice.isShown(focused)) this.drawRing(focused, ink, 2);
    if (hovered >= 0 && choice.isShown(hovered)) {
      if (!lit(hovered)) this.drawPoint(hovered, true);
      this.drawRing(hovered, ink, 1.2);
    }
    this.drawNames(paper);
  }

  drawPoint(point, lit) {
    const { context } = this;
    const { film, choice, looks, atlas, pictures } = this.scene;
    const proxy = film.proxyOf(point);
    const [x, y] = this.scale.at(film, point);
    const many = choice.trails.length > 0;
    context.globalAlpha = lit ? 1 : 0.3;
    if (proxy) sign(context, proxy.kind, x, y, lit && many ? 7 : 4.2, looks.colourOf(point), looks.ink().paper);
    else if (pictures && atlas && atlas.place(point)) {
      const size = lit ? 26 : 18;
      context.globalAlpha = lit ? 1 : 0.45;
      atlas.draw(context, point, x - size / 2, y - size / 2, size);
      context.strokeStyle = looks.colourOf(point);
      context.lineWidth = lit ? 1.6 : 0.8;
      context.strokeRect(x - size / 2, y - size / 2, size, size);
    } else sign(context, film.isTest(point) ? "test" : "train", x, y, lit && many ? 5.2 : 3.4, looks.colourOf(point), looks.ink().paper);
    context.globalAlpha = 1;
  }

  drawRing(point, colour, width) {
    const { context } = this;
    const { film, pictures } = this.scene;
    const [x, y] = this.scale.at(film, point);
    context.beginPath();
    context.arc(x, y, pictures && point < film.images ? 20 : 10.5, 0, 7);
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }

  /** The way of a point from the first epoch to the moment shown, ever stronger, with a dot at each epoch. */
  drawTrail(point) {
    const { context, scale } = this;
    const { film, frame, moment, looks } = this.scene;
    const last = Math.floor(moment);
    const way = [];
    for (let time = 0; time <= last; time++) way.push(scale.screen(...film.at(frame, time, point)));
    way.push(scale.at(film, point));
    context.strokeStyle = context.fillStyle = looks.colourOf(point);
    context.lineWidth = 1.7;
    context.lineCap = "round";
    const proxy = film.proxyOf(point);
    context.setLineDash(proxy?.kind === "semantic" ? [6, 3] : proxy?.kind === "learned" ? [1.5, 3.5] : []);
    for (let step = 1; step < way.length; step++) {
      context.globalAlpha = 0.25 + (0.6 * step) / way.length;
      context.beginPath();
      context.moveTo(...way[step - 1]);
      context.lineTo(...way[step]);
      context.stroke();
    }
    context.setLineDash([]);
    for (let time = 0; time <= last; time++) {
      context.globalAlpha = 0.35 + (0.6 * time) / way.length;
      context.beginPath();
      context.arc(...way[time], time ? 1.8 : 2.6, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  /** Names of the classes with trails beside their last kind of proxy, where they do not meet another name. */
  drawNames(paper) {
    const { context, scale } = this;
    const { film, choice, looks } = this.scene;
    context.font = "600 12px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const taken = [];
    for (const label of choice.trails) {
      const kind = film.kinds.findLastIndex((name) => !choice.hidden.has(name));
      const image = [...Array(film.images).keys()].find((one) => film.labels[one] === label && choice.isShown(one));
      const point = film.proxy[label] >= 0 && kind >= 0 ? film.pointOf(kind, film.proxy[label]) : image;
      if (point === undefined) continue;
      const [x, y] = scale.at(film, point);
      const name = film.names[label].length > 26 ? `${film.names[label].slice(0, 25)}…` : film.names[label];
      const wide = context.measureText(name).width;
      const left = x + 12 + wide > scale.width - 4 ? x - 12 - wide : x + 12;
      const rows = [0, 16, -16, 32, -32, 48, -48].map((down) => clip(y + down, 10, scale.height - 10));
      const free = rows.find((top) => taken.every(([a, b, c]) => Math.abs(b - top) >= 15 || left > a + c + 4 || left + wide + 4 < a));
      if (free === undefined) continue;
      taken.push([left, free, wide]);
      context.strokeStyle = paper;
      context.lineWidth = 4;
      context.strokeText(name, left, free);
      context.fillStyle = looks.classColour(label);
      context.fillText(name, left, free);
    }
  }
}
