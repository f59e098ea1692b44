// The points drawn by the graphics processor: WebGL2.

import { penOf } from "../../front/dom.js";
import { sameItems } from "../../front/lists.js";
import { PAD, WASH } from "./draw_list.js";
import { LEVELS } from "./turning.js";
/** @import { Frame, Pass } from "./draw_list.js" */

// A page may have about 16 contexts, and loses the oldest with the next: all maps of a page draw with one, each on its own
// canvas afterwards, which so keeps what it shows.
/** @typedef {{ gl: WebGL2RenderingContext, canvas: HTMLCanvasElement, users: number, about: string, software: boolean }} Graphics */
const shared = /** @type {Window & { vptspGraphics?: Graphics }} */ (window);

const BY_SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i; // slower than blending by hand

const VERTEX = `#version 300 es
precision highp float;
uniform vec2 middleHigh, middleLow; // of the map, in two numbers: one would be too coarse where one has zoomed in far
uniform vec2 half_; // of the map on the screen, CSS pixels
uniform vec2 size; // of what is drawn on, pixels
uniform float scale, ratio, radius, alpha;
uniform bool solid;
uniform vec4 colour; // of all of them; alpha 0: each has its own
layout(location = 0) in vec2 place;
layout(location = 1) in vec4 own;
layout(location = 2) in float level;
flat out vec4 shade;
flat out vec2 middle;
flat out float reach;
void main() {
  vec2 from = (place - middleHigh) - middleLow;
  vec2 pixel = floor((half_ + vec2(from.x, -from.y) * scale) * ratio + 0.5);
  middle = vec2(pixel.x + ${PAD}.5, size.y - (pixel.y + ${PAD}.5));
  float near = level / ${LEVELS - 1}.0;
  reach = min(${PAD - 2}.0, radius * (solid ? 0.75 + 0.4 * near : 1.0));
  shade = vec4(colour.a > 0.0 ? colour.rgb : own.rgb, alpha * (solid && alpha < 1.0 ? 0.4 + 0.6 * near : 1.0));
  gl_Position = vec4(middle / size * 2.0 - 1.0, 0.0, 1.0);
  gl_PointSize = 2.0 * ceil(reach) + 1.0;
}`;

const FRAGMENT = `#version 300 es
precision highp float;
flat in vec4 shade;
flat in vec2 middle;
flat in float reach;
out vec4 pixel;
void main() {
  float cover = clamp(reach + 0.5 - distance(gl_FragCoord.xy, middle), 0.0, 1.0);
  if (cover <= 0.02) discard;
  pixel = vec4(shade.rgb, shade.a * cover);
}`;

// One triangle over all there is.
const EVERYWHERE = `#version 300 es
void main() { gl_Position = vec4(vec2((gl_VertexID << 1) & 2, gl_VertexID & 2) * 2.0 - 1.0, 0.0, 1.0); }`;

const ONE_COLOUR = `#version 300 es
precision highp float;
uniform vec4 colour;
out vec4 pixel;
void main() { pixel = colour; }`;

/**
 * The page's context; none where there is none, or (unless `bySoftware`) none that is faster than the processor.
 * @param {boolean} bySoftware
 * @returns {Graphics | null}
 */
function graphics(bySoftware) {
  const there = shared.vptspGraphics;
  if (there) return there.software && !bySoftware ? null : there;
  const canvas = document.createElement("canvas");
  const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, failIfMajorPerformanceCaveat: !bySoftware });
  if (!gl) return null;
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  const about = String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  const found = { gl, canvas, users: 0, about, software: BY_SOFTWARE.test(about) };
  const tooSmall = gl.getParameter(gl.ALIASED_POINT_SIZE_RANGE)[1] < 2 * PAD;
  if (tooSmall || (found.software && !bySoftware)) {
    giveBack(gl);
    return null;
  }
  return (shared.vptspGraphics = found);
}

/** @param {WebGL2RenderingContext} gl */
const giveBack = (gl) => gl.getExtension("WEBGL_lose_context")?.loseContext();

/** Draws what `Painter` does, and as it does; moving and zooming change a few numbers only. */
export class GpuPainter {
  /** @type {WebGLProgram | null} */ program = null;
  /** @type {WebGLProgram | null} */ wash = null; // covers all with one colour
  /** @type {Record<string, WebGLUniformLocation | null>} */ uniforms = {};
  /** @type {Record<string, WebGLBuffer | null>} */ buffers = {};
  /** @type {WebGLVertexArrayObject | null} */ array = null;
  /** @type {Record<string, unknown[]>} */ sent = {}; // by buffer, what is in it

  /**
   * A painter, where the page has what it takes.
   * @param {HTMLCanvasElement} canvas
   * @param {boolean} bySoftware - also where a program stands in for the graphics processor
   * @param {(here: boolean) => void} changed - it cannot draw any longer, or can again
   */
  static of(canvas, bySoftware, changed) {
    const found = graphics(bySoftware);
    return found && new GpuPainter(canvas, found, changed);
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Graphics} found
   * @param {(here: boolean) => void} changed
   */
  constructor(canvas, found, changed) {
    this.canvas = canvas;
    this.context = penOf(canvas);
    this.found = found;
    found.users += 1;
    this.lost = (/** @type {Event} */ event) => {
      event.preventDefault(); // or it would never come back
      this.forget();
      changed(false);
    };
    this.restored = () => changed(true);
    found.canvas.addEventListener("webglcontextlost", this.lost);
    found.canvas.addEventListener("webglcontextrestored", this.restored);
  }

  /** How the points are drawn, in words. */
  get about() {
    return `WebGL2: ${this.found.about}`;
  }

  /** Whether it can draw now. */
  get ready() {
    return !this.found.gl.isContextLost();
  }

  resize() {
    const { canvas } = this.found;
    const [width, height] = [this.canvas.width + 2 * PAD, this.canvas.height + 2 * PAD];
    if (canvas.width < width) canvas.width = width;
    if (canvas.height < height) canvas.height = height;
  }

  /** What is needed once. */
  prepare() {
    const { gl } = this.found;
    const program = (this.program = programOf(gl, VERTEX, FRAGMENT));
    this.wash = programOf(gl, EVERYWHERE, ONE_COLOUR);
    const names = ["middleHigh", "middleLow", "half_", "size", "scale", "ratio", "radius", "alpha", "solid", "colour"];
    for (const name of names) this.uniforms[name] = gl.getUniformLocation(program, name);
    this.array = gl.createVertexArray();
    gl.bindVertexArray(this.array);
    for (const name of ["places", "colours", "levels", "rows"]) this.buffers[name] = gl.createBuffer();
    const attribute = (place, name, count, kind, whole) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, count, kind, whole, 0, 0);
    };
    attribute(0, "places", 2, gl.FLOAT, false);
    attribute(1, "colours", 4, gl.UNSIGNED_BYTE, true);
    attribute(2, "levels", 1, gl.UNSIGNED_BYTE, false);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers.rows);
  }

  /**
   * Sends what has changed since it was sent.
   * @param {Frame} frame
   */
  send({ list, cloud, colours }) {
    const { gl } = this.found;
    const { solid } = cloud;
    const put = (name, target, key, values) => {
      if (sameItems(key, this.sent[name] ?? [])) return;
      this.sent[name] = key;
      gl.bindBuffer(target, this.buffers[name]);
      gl.bufferData(target, values(), solid ? gl.DYNAMIC_DRAW : gl.STATIC_DRAW);
    };
    put("places", gl.ARRAY_BUFFER, [cloud, solid?.seen], () => cloud.xy);
    put("colours", gl.ARRAY_BUFFER, [colours.rows], () => colours.rows);
    put("levels", gl.ARRAY_BUFFER, [cloud, solid?.seen], () => solid?.near ?? new Uint8Array(cloud.size));
    put("rows", gl.ELEMENT_ARRAY_BUFFER, [list.version, list.picked], () => list.rows.subarray(0, list.size));
  }

  /** @param {Frame} frame */
  paint(frame) {
    const { gl, canvas } = this.found;
    const { camera, cloud, list, ratio, inks } = frame;
    const [width, height] = [this.canvas.width + 2 * PAD, this.canvas.height + 2 * PAD];
    if (!this.program) this.prepare();
    gl.bindVertexArray(this.array);
    this.send(frame);
    const { uniforms } = this;
    gl.useProgram(this.program);
    gl.viewport(0, 0, width, height);
    gl.clearColor(...partsOf(inks.paper), 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    const high = [Math.fround(camera.x), Math.fround(camera.y)];
    gl.uniform2f(uniforms.middleHigh, high[0], high[1]);
    gl.uniform2f(uniforms.middleLow, camera.x - high[0], camera.y - high[1]);
    gl.uniform2f(uniforms.half_, camera.width / 2, camera.height / 2);
    gl.uniform2f(uniforms.size, width, height);
    gl.uniform1f(uniforms.scale, camera.scale);
    gl.uniform1f(uniforms.ratio, ratio);
    gl.uniform1i(uniforms.solid, cloud.solid ? 1 : 0);
    const { below, washed, above } = list.passes(frame);
    this.dots(below);
    if (washed) {
      gl.bindVertexArray(null);
      gl.useProgram(this.wash);
      gl.uniform4f(gl.getUniformLocation(/** @type {WebGLProgram} */ (this.wash), "colour"), ...partsOf(inks.paper), WASH);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
      gl.useProgram(this.program);
      gl.bindVertexArray(this.array);
    }
    this.dots(above);
    gl.bindVertexArray(null);
    // in the same task, as long as what was drawn is there
    this.context.drawImage(canvas, PAD, canvas.height - height + PAD, this.canvas.width, this.canvas.height, 0, 0, this.canvas.width, this.canvas.height);
  }

  /** @param {Pass[]} passes */
  dots(passes) {
    const { gl } = this.found;
    const { uniforms } = this;
    for (const { start, end, radius, alpha, colour } of passes) {
      gl.uniform1f(uniforms.radius, radius);
      gl.uniform1f(uniforms.alpha, alpha);
      gl.uniform4f(uniforms.colour, ...partsOf(colour ?? 0), colour === undefined ? 0 : 1);
      gl.drawElements(gl.POINTS, end - start, gl.UNSIGNED_INT, 4 * start);
    }
  }

  /** What it had is gone with the context. */
  forget() {
    this.program = this.wash = this.array = null;
    this.buffers = {};
    this.sent = {};
  }

  /** Gives back what it has; the last of a page gives the context back. */
  close() {
    const { gl, canvas } = this.found;
    canvas.removeEventListener("webglcontextlost", this.lost);
    canvas.removeEventListener("webglcontextrestored", this.restored);
    for (const buffer of Object.values(this.buffers)) gl.deleteBuffer(buffer);
    gl.deleteVertexArray(this.array);
    gl.deleteProgram(this.program);
    gl.deleteProgram(this.wash);
    this.forget();
    this.found.users -= 1;
    if (this.found.users > 0) return;
    if (shared.vptspGraphics === this.found) delete shared.vptspGraphics;
    giveBack(gl);
  }
}

/** @param {WebGL2RenderingContext} gl @param {string} vertex @param {string} fragment */
function programOf(gl, vertex, fragment) {
  const program = gl.createProgram();
  for (const [kind, text] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    gl.deleteShader(shader);
  }
  gl.linkProgram(program);
  return program;
}

/** Red, green and blue of a pixel, from 0 to 1. @returns {[number, number, number]} */
const partsOf = (pixel) => [(pixel & 255) / 255, ((pixel >> 8) & 255) / 255, ((pixel >> 16) & 255) / 255];
