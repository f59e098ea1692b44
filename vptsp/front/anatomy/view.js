// The anatomy of proxies. For any alpha everything follows from the dot products of O and G with the images.

const CURVES = [
  { key: "accuracy", title: "accuracy", light: "#1d5fd6", dark: "#7fb1ff", dash: [] },
  { key: "recall", title: "recall@1", light: "#0e7a52", dark: "#4ade80", dash: [] },
  { key: "map", title: "MAP@R", light: "#a8580a", dark: "#fbbf4b", dash: [] },
  { key: "rho", title: "ρ attributes", light: "#6b7280", dark: "#a8b0ba", dash: [5, 4] },
];
const STEPS = 100; // of alpha
const NEAREST = 10; // thumbnails of a strip

export default {
  render({ model, el }) {
    const live = model.live !== false;
    const ends = [];
    const status = statusLine(model);
    let parts = new Parts(model);
    let dark = false;
    let frame = 0;
    let sorted = { key: "gain", down: true };
    let order = []; // classes as the table lists them
    let drawn = []; // where the map shows what, for the pointer
    let timer = 0;
    let frameRequest = 0;
    const curve = new Map(); // step of alpha -> score
    const look = (one) => one[dark ? "dark" : "light"];
    const ink = (name) => getComputedStyle(root).getPropertyValue(name).trim();
    const alpha = () => (parts.facts.semantic ? model.get("alpha") : 1);
    const focus = () => clip(model.get("_class"), 0, parts.classes - 1);
    const put = (name, value) => {
      model.set(name, value);
      model.save_changes();
    };
    const atlas = new Atlas(model, () => atlas.refill(root));
    const thumbnail = (image, size, alt) => (parts.facts.thumbnails ? atlas.element(parts.rows[image], size, alt) : null);

    // --- controls
    const title = make("b", { className: "va-title", dir: "auto" });
    const notes = make("div", { className: "va-notes" });
    const slider = make("input", {
      type: "range", min: 0, max: 1, step: 1 / STEPS, className: "va-slider", "aria-label": "alpha: share of the learned proxy",
      oninput: () => put("alpha", Number(slider.value)),
    });
    const number = make("output", { className: "va-alpha" });
    const trained = make("button", { type: "button", onclick: () => put("alpha", parts.facts.trained) });
    const helper = make("button", { type: "button", "aria-label": "keys", onclick: () => help.toggle() }, "?");
    const help = helpPanel([
      ["arrows on the slider", "change alpha; Home and End: semantic or learned proxies alone"],
      ["click or drag in the curves", "change alpha"],
      ["↑ ↓ in the table", "the class before or after; Home and End: the first and last"],
      ["click on a star", "look at that class"],
      ["Enter on a thumbnail", "focus that image, here and in linked views"],
      ["?", "these keys"],
    ]);
    const fusion = make(
      "div", { className: "va-fusion" },
      make("span", { className: "va-end va-semantic" }, "semantic G"), slider, make("span", { className: "va-end va-learned" }, "learned O"), number, trained,
    );
    const tiles = make("div", { className: "va-tiles", role: "group", "aria-label": "what these proxies are good for" });

    // --- the map of all classes
    const frameChoice = make("select", { "aria-label": "axes of the map", onchange: () => ((frame = Number(frameChoice.value)), map.paint()) });
    frameChoice.append(make("option", { value: 0 }, "axes of proxies and images"), make("option", { value: 1 }, "axes of the images alone"));

    function drawMap(context, width, height) {
      const [soft, paper, rule, main] = ["--soft", "--paper", "--rule", "--ink"].map(ink);
      const { images } = parts.frames[frame];
      const now = alpha();
      const ends = parts.names.map((_, label) => [parts.placed(frame, label, 1), parts.placed(frame, label, 0), parts.placed(frame, label, now)]);
      let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
      const take = (x, y) => ([left, right, low, high] = [Math.min(left, x), Math.max(right, x), Math.min(low, y), Math.max(high, y)]);
      for (let image = 0; image < parts.images; image++) take(images[2 * image], images[2 * image + 1]);
      const trails = parts.names.map((_, label) => {
        const points = parts.facts.semantic ? Array.from({ length: 25 }, (_, step) => parts.placed(frame, label, trailAlpha(step / 24))) : ends[label].slice(0, 2);
        points.forEach(([x, y]) => take(x, y));
        return points;
      });
      const [pad, legend] = [22, 26];
      const scale = Math.min((width - 2 * pad) / (right - left || 1), (height - 2 * pad - legend) / (high - low || 1));
      const to = ([x, y]) => [width / 2 + (x - (left + right) / 2) * scale, legend + (height - legend) / 2 - (y - (low + high) / 2) * scale];
      const chosen = focus();
      drawn = [];
      context.fillStyle = soft;
      context.globalAlpha = 0.28;
      for (let image = 0; image < parts.images; image++) {
        const [x, y] = to([images[2 * image], images[2 * image + 1]]);
        context.fillRect(x - 1, y - 1, 2, 2);
      }
      const many = parts.classes > 100;
      const size = many ? 3.5 : parts.classes > 40 ? 4.5 : 6;
      const base = parts.score(1).precision;
      const fresh = parts.score(now).precision;
      for (const focused of [false, true]) {
        parts.names.forEach((name, label) => {
          if ((label === chosen) !== focused) return;
          const points = trails[label].map(to);
          const gain = fresh[label] - base[label];
          context.strokeStyle = focused ? main : Math.abs(gain) < 0.005 || !parts.facts.semantic ? soft : gain > 0 ? ink("--right") : ink("--wrong");
          context.globalAlpha = focused ? 1 : many ? 0.22 : 0.4;
          context.lineWidth = focused ? 2.2 : 1;
          context.beginPath();
          points.forEach(([x, y]) => context.lineTo(x, y));
          context.stroke();
          const [o, g, q] = ends[label].map(to);
          context.globalAlpha = 1;
          mark(context, "learned", o, focused ? 6 : size * 0.7, look(LOOK.learned), paper);
          if (parts.facts.semantic) mark(context, "semantic", g, focused ? 6 : size * 0.7, look(LOOK.semantic), paper);
          else context.fillStyle = main, context.fillRect(g[0] - 2.5, g[1] - 2.5, 5, 5);
          if (parts.facts.semantic) {
            if (focused || !many) {
              context.fillStyle = context.strokeStyle = focused ? main : soft;
              context.globalAlpha = focused ? 1 : 0.75;
              heads(context, label, now, to, focused ? 8 : 5);
              context.globalAlpha = 1;
            }
            mark(context, "fused", q, focused ? 9 : size, look(LOOK.fused), paper);
          }
          drawn.push({ label, at: q }, { label, at: o }, { label, at: g });
        });
      }
      context.fillStyle = main;
      for (const image of parts.own[chosen]) {
        const [x, y] = to([images[2 * image], images[2 * image + 1]]);
        context.beginPath();
        context.arc(x, y, 3.2, 0, 7);
        context.fill();
        context.strokeStyle = paper;
        context.lineWidth = 1;
        context.stroke();
        drawn.push({ image, at: [x, y] });
      }
      context.font = "600 12px system-ui, sans-serif";
      context.textBaseline = "middle";
      const [x, y] = to(ends[chosen][2]);
      const text = short(parts.names[chosen], 30);
      const half = context.measureText(text).width;
      context.textAlign = "left";
      write(context, text, x + 14 + half > width ? x - 14 - half : x + 14, clip(y - 12, 34, height - 8), main, paper);
      context.font = "11px system-ui, sans-serif";
      context.textAlign = "right";
      write(context, "principal component 1 →", width - 6, height - 8, soft, paper);
      context.strokeStyle = rule;
    }

    /** Steps even on the arc where O is much longer than G: most of the way lies at small alpha. */
    function trailAlpha(share) {
      return share ** 2.5;
    }

    /** Arrowheads on the trail just before q, from both sides. */
    function heads(context, label, now, to, size) {
      for (const side of [-1, 1]) {
        const end = to(parts.placed(frame, label, now));
        for (let reach = 0.02; reach <= 1; reach += 0.02) {
          const other = clip(now + side * reach, 0, 1);
          const start = to(parts.placed(frame, label, other));
          const length = Math.hypot(start[0] - end[0], start[1] - end[1]);
          if (length > size * 2.6) {
            const [dx, dy] = [(end[0] - start[0]) / length, (end[1] - start[1]) / length];
            const tip = [end[0] - dx * size, end[1] - dy * size];
            context.beginPath();
            context.moveTo(...tip);
            context.lineTo(tip[0] - dx * size - dy * size * 0.5, tip[1] - dy * size + dx * size * 0.5);
            context.lineTo(tip[0] - dx * size + dy * size * 0.5, tip[1] - dy * size - dx * size * 0.5);
            context.fill();
            break;
          }
          if (other === 0 || other === 1) break;
        }
      }
    }

    function pickOnMap(x, y) {
      let [best, hit] = [13 * 13, null];
      for (const one of drawn) {
        const distance = (one.at[0] - x) ** 2 + (one.at[1] - y) ** 2;
        if (distance < best) [best, hit] = [distance, one];
      }
      if (!hit) return null;
      if (hit.image !== undefined) return { content: () => aboutImage(hit.image), act: () => chooseImage(hit.image) };
      return { content: () => aboutClass(hit.label), act: () => chooseClass(hit.label) };
    }

    function aboutClass(label) {
      const gain = parts.score(alpha()).precision[label] - parts.score(1).precision[label];
      const line = parts.facts.semantic
        ? `AP@R ${signed(gain)} points against O alone; O and G ${degrees(parts.angle(label))} apart`
        : `AP@R ${percent(parts.score(1).precision[label])}`;
      return [make("div", {}, make("b", { dir: "auto" }, parts.names[label]), make("div", {}, line))];
    }

    function aboutImage(image, extra = "") {
      const text = make("div", {}, make("b", { dir: "auto" }, parts.names[parts.labels[image]]), make("div", {}, extra || "training image"));
      const picture = thumbnail(image, 56, "");
      return picture ? [picture, text] : [text];
    }

    const map = plot(430, "map of all classes: learned and semantic proxies, and the fused one between them", drawMap, pickOnMap);

    // --- the plane of O and G of one class: what q sees of the images, exactly
    let dots = [];
    function drawPlane(context, width, height) {
      const [soft, paper, rule, main, right, wrong] = ["--soft", "--paper", "--rule", "--ink", "--right", "--wrong"].map(ink);
      const label = focus();
      const now = alpha();
      const angle = parts.angle(label);
      const turn = parts.turn(label, now);
      const start = Math.PI / 2 + angle / 2; // O to the left, G to the right
      const direction = (beyond) => [Math.cos(start - beyond), Math.sin(start - beyond)];
      const points = [];
      for (let image = 0; image < parts.images; image++) {
        const [a, b] = parts.inPlane(label, image, angle);
        points.push([a * Math.cos(start) + b * Math.sin(start), a * Math.sin(start) - b * Math.cos(start)]);
      }
      let [left, far, low, high] = [-0.1, 0.1, -0.1, 0.1];
      const take = ([x, y]) => ([left, far, low, high] = [Math.min(left, x), Math.max(far, x), Math.min(low, y), Math.max(high, y)]);
      for (let step = 0; step <= 12; step++) take(direction((angle * step) / 12));
      points.forEach(take);
      const [pad, top] = [34, 30];
      const scale = Math.min((width - 2 * pad) / (far - left), (height - top - 2 * pad) / (high - low));
      const to = ([x, y]) => [width / 2 + (x - (left + far) / 2) * scale, top + (height - top) / 2 - (y - (low + high) / 2) * scale];
      const similarity = parts.similarities(label, now);
      const r = parts.own[label].length;
      const ranked = mostSimilarFirst(similarity);
      const rank = new Int32Array(parts.images);
      ranked.forEach((image, place) => (rank[image] = place + 1));

      // everything beyond the line square to q is among its first R images
      if (r && ranked.length > r) {
        const edge = (similarity[ranked[r - 1]] + similarity[ranked[r]]) / 2;
        const [qx, qy] = direction(turn);
        const across = [qy, -qx];
        const corner = (along, beside) => to([qx * along + across[0] * beside, qy * along + across[1] * beside]);
        context.save();
        context.beginPath();
        context.rect(0, top - 2, width, height);
        context.clip();
        context.fillStyle = look(LOOK.fused);
        context.globalAlpha = 0.08;
        context.beginPath();
        for (const [along, beside] of [[edge, -4], [edge, 4], [4, 4], [4, -4]]) context.lineTo(...corner(along, beside));
        context.fill();
        context.globalAlpha = 0.9;
        context.strokeStyle = look(LOOK.fused);
        context.setLineDash([6, 4]);
        context.lineWidth = 1.2;
        context.beginPath();
        context.moveTo(...corner(edge, -4));
        context.lineTo(...corner(edge, 4));
        context.stroke();
        context.restore();
      }
      const origin = to([0, 0]);
      context.strokeStyle = rule;
      context.lineWidth = 1;
      context.beginPath();
      context.arc(...origin, scale, -start, -(start - angle)); // canvas angles turn the other way
      context.stroke();
      dots = [];
      context.fillStyle = soft;
      context.globalAlpha = 0.35;
      for (let image = 0; image < parts.images; image++) {
        const [x, y] = to(points[image]);
        dots.push([x, y]);
        if (parts.labels[image] !== label && rank[image] > r) context.fillRect(x - 1.2, y - 1.2, 2.4, 2.4);
      }
      context.globalAlpha = 1;
      for (const [beyond, kind] of [[0, "learned"], [angle, parts.facts.semantic ? "semantic" : "mean"], ...(parts.facts.semantic ? [[turn, "fused"]] : [])]) {
        const colour = kind === "mean" ? main : look(LOOK[kind]);
        const tip = to(direction(beyond));
        context.strokeStyle = context.fillStyle = colour;
        context.lineWidth = kind === "fused" ? 3.4 : 2.2;
        arrow(context, ...origin, ...tip, kind === "fused" ? 14 : 11);
      }
      for (let image = 0; image < parts.images; image++) {
        const own = parts.labels[image] === label;
        if (!own && rank[image] > r) continue;
        const [x, y] = dots[image];
        context.beginPath();
        if (own) {
          context.arc(x, y, 4.2, 0, 7);
          context.fillStyle = rank[image] <= r ? right : paper;
          context.fill();
          context.lineWidth = 1.5;
          context.strokeStyle = rank[image] <= r ? paper : right;
        } else {
          for (const [a, b] of [[-1, -1], [-1, 1]]) {
            context.moveTo(x + 3.6 * a, y + 3.6 * b);
            context.lineTo(x - 3.6 * a, y - 3.6 * b);
          }
          context.strokeStyle = wrong;
          context.lineWidth = 2;
        }
        context.stroke();
      }
      context.font = "700 14px system-ui, sans-serif";
      context.textAlign = "center";
      context.textBaseline = "middle";
      const close = Math.min(turn, angle - turn) < 0.2;
      for (const [beyond, kind, name] of [[0, "learned", "O"], [angle, "semantic", parts.facts.semantic ? "G" : "mean image"], ...(parts.facts.semantic ? [[turn, "fused", "q"]] : [])]) {
        const [x, y] = direction(beyond);
        const reach = 1 + (kind === "fused" && close ? 34 : 16) / scale;
        const [at, up] = to([x * reach, y * reach]);
        write(context, name, clip(at, 12, width - 12), clip(up, top + 8, height - 8), kind === "semantic" && !parts.facts.semantic ? main : look(LOOK[kind]), paper);
      }
      plane.rank = rank;
      plane.similarity = similarity;
    }

    function pickInPlane(x, y) {
      let [best, hit] = [11 * 11, -1];
      const label = focus();
      const r = parts.own[label].length;
      dots.forEach(([px, py], image) => {
        const telling = parts.labels[image] === label || plane.rank[image] <= r;
        const distance = ((px - x) ** 2 + (py - y) ** 2) * (telling ? 0.4 : 1);
        if (distance < best) [best, hit] = [distance, image];
      });
      if (hit < 0) return null;
      const text = `${parts.facts.semantic ? "q" : "O"}: rank ${count(plane.rank[hit])}, cosine ${cosine(plane.similarity[hit])}`;
      return { content: () => aboutImage(hit, text), act: () => chooseImage(hit) };
    }
    const plane = plot(370, "plane of the learned and the semantic proxy of the class looked at", drawPlane, pickInPlane);
    const planeTitle = make("h4", {});
    const planeFacts = make("div", { className: "va-facts" });
    const composition = make("div", { className: "va-composition", role: "img" });

    // --- curves over alpha
    let plotArea = null;
    function drawCurves(context, width, height) {
      const [soft, paper, rule, main] = ["--soft", "--paper", "--rule", "--ink"].map(ink);
      const area = { left: 44, right: width - 96, top: 40, bottom: height - 40 };
      plotArea = area;
      const x = (value) => area.left + value * (area.right - area.left);
      const y = (value) => area.bottom - value * (area.bottom - area.top);
      context.font = "11px system-ui, sans-serif";
      context.textBaseline = "middle";
      context.lineWidth = 1;
      for (const value of [0, 0.25, 0.5, 0.75, 1]) {
        context.strokeStyle = rule;
        context.globalAlpha = 0.6;
        context.beginPath();
        context.moveTo(area.left, y(value));
        context.lineTo(area.right, y(value));
        context.stroke();
        context.globalAlpha = 1;
        context.fillStyle = soft;
        context.textAlign = "right";
        context.fillText(`${100 * value} %`, area.left - 6, y(value));
        context.textAlign = "center";
        context.fillText(String(value), x(value), area.bottom + 13);
      }
      context.fillText("α  (0: semantic G alone,  1: learned O alone)", (area.left + area.right) / 2, area.bottom + 29);
      context.textAlign = "left";
      context.fillText("real weight of O in q", area.left, 9);
      context.textAlign = "center";
      for (const value of [0, 0.1, 0.25, 0.5, 1]) {
        context.fillText(percent(parts.meanWeight(value), 0), x(value), 26);
        context.strokeStyle = soft;
        context.beginPath();
        context.moveTo(x(value), area.top - 5);
        context.lineTo(x(value), area.top);
        context.stroke();
      }
      context.setLineDash([2, 3]);
      context.strokeStyle = main;
      context.beginPath();
      context.moveTo(x(parts.facts.trained), area.top);
      context.lineTo(x(parts.facts.trained), area.bottom);
      context.stroke();
      context.setLineDash([]);
      const now = alpha();
      context.strokeStyle = main;
      context.lineWidth = 1.6;
      context.beginPath();
      context.moveTo(x(now), area.top - 4);
      context.lineTo(x(now), area.bottom + 4);
      context.stroke();
      const steps = [...curve.keys()].sort((a, b) => a - b);
      const score = parts.score(now);
      const names = [];
      for (const line of CURVES) {
        if (line.key === "rho" && !parts.rho.length) continue;
        context.strokeStyle = look(line);
        context.lineWidth = 2.2;
        context.setLineDash(line.dash);
        context.beginPath();
        for (const step of steps) context.lineTo(x(step / STEPS), y(clip(curve.get(step)[line.key], 0, 1)));
        context.stroke();
        context.setLineDash([]);
        context.beginPath();
        context.arc(x(now), y(clip(score[line.key], 0, 1)), 4.5, 0, 7);
        context.fillStyle = look(line);
        context.fill();
        context.strokeStyle = paper;
        context.lineWidth = 1.5;
        context.stroke();
        if (curve.has(STEPS)) names.push({ line, at: y(clip(curve.get(STEPS)[line.key], 0, 1)) });
      }
      names.sort((a, b) => a.at - b.at).forEach((one, place) => place && (one.at = Math.max(one.at, names[place - 1].at + 15)));
      context.textAlign = "left";
      context.font = "600 12px system-ui, sans-serif";
      for (const { line, at } of names) {
        context.fillStyle = look(line);
        context.fillText(line.title, area.right + 8, at);
      }
      context.font = "11px system-ui, sans-serif";
      context.textAlign = "center";
      write(context, "trained", x(parts.facts.trained), area.bottom - 9, soft, paper);
    }
    const drag = (event, canvas) => {
      const move = (at) => {
        const area = canvas.getBoundingClientRect();
        const share = (at.clientX - area.left - plotArea.left) / (plotArea.right - plotArea.left);
        put("alpha", Math.round(clip(share, 0, 1) * STEPS) / STEPS);
      };
      move(event);
      canvas.setPointerCapture(event.pointerId);
      canvas.onpointermove = move;
      canvas.onpointerup = canvas.onpointercancel = () => (canvas.onpointermove = canvas.onpointerup = canvas.onpointercancel = null);
      event.preventDefault();
      slider.focus();
    };
    const curves = plot(300, "accuracy and retrieval of fused proxies over alpha", drawCurves, null, drag);
    curves.canvas.classList.add("va-drag");

    /** Fills the curves a few steps at a time, coarsest first, so that nothing waits for them. */
    function fillCurve() {
      clearTimeout(timer);
      const wanted = [100, 0, 50, ...[10, 5, 2, 1].flatMap((step) => Array.from({ length: STEPS / step + 1 }, (_, at) => at * step))].filter((step) => !curve.has(step));
      if (!wanted.length) return;
      const until = performance.now() + 14;
      for (const step of wanted) {
        if (!curve.has(step)) curve.set(step, parts.score(step / STEPS));
        if (performance.now() > until) break;
      }
      curves.paint();
      timer = setTimeout(fillCurve, 10);
    }

    // --- classes
    const COLUMNS = () => (parts.facts.semantic
      ? [["class", "name", ""], ["gain", "gain", "AP@R with this alpha, against the learned proxy alone (points)"], ["AP@R now", "ap", "how well q finds its class's images"], ["right", "right", "images whose nearest proxy is their class's: learned alone → now"], ["O–G", "angle", "angle between the learned and the semantic proxy"], ["O in q", "weight", "real weight of O in q"]]
      : [["class", "name", ""], ["AP@R", "ap", "how well O finds its class's images"], ["right", "right", "images whose nearest proxy is their class's"], ["O–images", "angle", "angle between the learned proxy and the mean of its class's images"]]);
    const head = make("tr", { role: "row" });
    const body = make("tbody", {});
    const table = make("table", { className: "va-table", role: "grid", "aria-label": "classes, and how much semantics help or hurt each" }, make("thead", {}, head), body);
    const scroller = make("div", { className: "va-scroll" }, table);
    const tableTitle = make("h4", {});
    const tally = make("div", { className: "va-facts" });
    let lines = [];

    function valuesOf(label) {
      const [now, base] = [parts.score(alpha()), parts.score(1)];
      return {
        name: parts.names[label], gain: now.precision[label] - base.precision[label], ap: now.precision[label], right: now.right[label], before: base.right[label],
        angle: parts.angle(label), weight: parts.weight(label, alpha()),
      };
    }
    function buildTable() {
      head.replaceChildren(...COLUMNS().map(([text, key, why]) => {
        const button = make("button", { type: "button", title: why || "by name", onclick: () => {
          sorted = { key, down: sorted.key === key ? !sorted.down : key !== "name" };
          sortTable();
        } }, text);
        return make("th", { scope: "col", role: "columnheader", className: `va-${key}` }, button);
      }));
      lines = parts.names.map((name, label) => {
        const cells = Object.fromEntries(COLUMNS().map(([, key]) => [key, make("td", { className: `va-${key}`, role: "gridcell" })]));
        cells.name.append(make("bdi", {}, short(name, 40)));
        cells.name.title = name;
        const bar = make("span", { className: "va-bar" }, make("i", {}));
        const value = make("span", { className: "va-value" });
        cells.gain?.append(bar, value);
        const line = make("tr", { role: "row", tabIndex: -1, onclick: () => chooseClass(label), onfocus: () => label !== focus() && chooseClass(label) }, ...Object.values(cells));
        return { label, cells, line, bar: bar.firstChild, value };
      });
      fillTable();
      sortTable();
    }
    function fillTable() {
      const values = lines.map(({ label }) => valuesOf(label));
      const most = Math.max(0.02, ...values.map(({ gain }) => Math.abs(gain) || 0));
      let [helped, hurt] = [0, 0];
      lines.forEach(({ label, cells, bar, value }, place) => {
        const one = values[place];
        const total = parts.own[label].length;
        helped += one.gain > 0.0005;
        hurt += one.gain < -0.0005;
        if (cells.gain) {
          value.textContent = Number.isNaN(one.gain) ? "–" : signed(one.gain);
          const share = (50 * Math.abs(one.gain || 0)) / most;
          Object.assign(bar.style, { width: `${share}%`, left: one.gain < 0 ? `${50 - share}%` : "50%", background: one.gain < 0 ? "var(--wrong)" : "var(--right)" });
        }
        cells.ap.textContent = Number.isNaN(one.ap) ? "–" : percent(one.ap, 0);
        cells.right.textContent = parts.facts.semantic ? `${one.before} → ${one.right} of ${total}` : `${one.right} of ${total}`;
        cells.angle.textContent = degrees(one.angle);
        if (cells.weight) cells.weight.textContent = percent(one.weight, 0);
      });
      tally.textContent = parts.facts.semantic
        ? `Against learned proxies alone, α = ${alpha().toFixed(2)} helps ${helped} and hurts ${hurt} of ${count(parts.classes)} classes (AP@R).`
        : `${count(parts.classes)} training classes.`;
    }
    function sortTable() {
      if (!COLUMNS().some(([, key]) => key === sorted.key)) sorted = { key: "ap", down: false };
      const values = parts.names.map((_, label) => valuesOf(label));
      order = [...values.keys()].sort((a, b) => {
        const [one, other] = [values[a][sorted.key], values[b][sorted.key]];
        const ahead = sorted.key === "name" ? one.localeCompare(other) : (Number.isNaN(one) ? -Infinity : one) - (Number.isNaN(other) ? -Infinity : other);
        return (sorted.down ? -ahead : ahead) || a - b;
      });
      body.replaceChildren(...order.map((label) => lines[label].line));
      [...head.children].forEach((cell, place) => {
        const mine = COLUMNS()[place][1] === sorted.key;
        cell.setAttribute("aria-sort", mine ? (sorted.down ? "descending" : "ascending") : "none");
      });
      markRow(false);
    }
    const sortLater = debounced(sortTable, 500);
    function markRow(scroll = true) {
      for (const { line, label } of lines) {
        const mine = label === focus();
        line.setAttribute("aria-selected", String(mine));
        line.tabIndex = mine ? 0 : -1;
      }
      const line = lines[focus()].line;
      const [above, below] = [line.offsetTop - head.offsetHeight - scroller.scrollTop, line.offsetTop + line.offsetHeight - scroller.scrollTop - scroller.clientHeight];
      if (scroll && above < 0) scroller.scrollTop += above;
      else if (scroll && below > 0) scroller.scrollTop += below;
    }
    body.addEventListener("keydown", (event) => {
      const at = order.indexOf(focus());
      const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: order.length - 1, PageDown: at + 8, PageUp: at - 8 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      lines[order[clip(next, 0, order.length - 1)]].line.focus({ preventScroll: true });
    });

    // --- the images nearest to O, G and q
    const strips = make("div", { className: "va-strips" });
    function drawStrips() {
      const label = focus();
      const kinds = parts.facts.semantic ? [["learned", 1], ["semantic", 0], ["fused", alpha()]] : [["learned", 1]];
      const r = parts.own[label].length;
      strips.replaceChildren(...kinds.map(([kind, at]) => {
        const similarity = parts.similarities(label, at);
        const ranked = mostSimilarFirst(similarity);
        const right = ranked.slice(0, r).filter((image) => parts.labels[image] === label).length;
        const sign = make("b", {}, LOOK[kind].sign);
        sign.style.color = look(LOOK[kind]);
        const cells = ranked.slice(0, NEAREST).map((image) => {
          const own = parts.labels[image] === label;
          const alt = `${parts.names[parts.labels[image]]}, ${own ? "the class" : "another class"}, cosine ${cosine(similarity[image])}`;
          return make(
            "button", { type: "button", className: `va-thumb ${own ? "va-yes" : "va-no"}`, title: alt, "aria-label": alt, onclick: () => chooseImage(image) },
            thumbnail(image, 54, alt) ?? make("span", { className: "va-blank" }, short(parts.names[parts.labels[image]], 18)), make("small", {}, `${own ? "✓" : "✗"} ${cosine(similarity[image], 2)}`),
          );
        });
        const text = make("div", { className: "va-strip-text" }, make("div", {}, "nearest to ", sign), make("small", {}, `${right} of the first ${r} right`));
        return make("div", { className: "va-strip", role: "group", "aria-label": `images nearest to ${LOOK[kind].title} ${LOOK[kind].sign}` }, text, make("div", { className: "va-thumbs" }, ...cells));
      }));
    }
    const stripsLater = debounced(drawStrips, 60);

    // --- attributes
    const attributes = make("section", { className: "va-card va-attributes", hidden: true });
    function drawAttributes() {
      const found = parts.facts.correlations;
      attributes.hidden = !found.length;
      if (!found.length) return;
      const titles = { learned: "learned O", semantic: "semantic G", fused: `fused q, α = ${parts.facts.trained}`, "mean images": "mean images" };
      const most = Math.max(...found.map(({ rho }) => Math.abs(rho)), 1e-9);
      const least = (one) => (one.p <= 1 / (one.permutations + 1) && !one.exact ? `p ≤ ${one.p.toFixed(4)}` : `p = ${one.p.toFixed(4)}`);
      const rows = found.map((one) => {
        const bar = make("i", {});
        bar.style.width = `${(100 * Math.abs(one.rho)) / most}%`;
        bar.style.background = LOOK[one.kind] ? look(LOOK[one.kind]) : "var(--soft)";
        return make("tr", {}, make("th", { scope: "row" }, titles[one.kind]), make("td", { className: "va-rho" }, make("span", {}, bar)), make("td", {}, `ρ ${cosine(one.rho)}`), make("td", {}, least(one)));
      });
      const { classes, permutations, exact } = found[0];
      attributes.replaceChildren(
        make("h4", {}, "Do proxies that lie close belong to classes that look alike?"),
        make("table", {}, ...rows),
        make("p", {}, `Spearman's ρ between the cosine distances of ${count(classes)} classes' proxies and Gower's distance of their known attributes (numbers by difference over range, others equal or not). p: one-sided, ${exact ? "all" : count(permutations)} permutations of the classes.`),
      );
    }

    // --- acting
    function chooseClass(label) {
      put("_class", label);
      if (live) put("_selected", bytesOf(Int32Array.from(parts.own[label], (image) => parts.rows[image])));
    }
    function chooseImage(image) {
      if (live) put("_focused", parts.rows[image]);
      else if (parts.labels[image] !== focus()) put("_class", parts.labels[image]);
      status.say(`${parts.names[parts.labels[image]]} is looked at`);
    }

    // --- showing
    function showAlpha() {
      const now = alpha();
      slider.value = now;
      slider.setAttribute("aria-valuetext", `alpha ${now.toFixed(2)}`);
      number.textContent = `α = ${now.toFixed(2)}`;
      trained.textContent = `as trained, ${parts.facts.trained}`;
      trained.disabled = Math.abs(now - parts.facts.trained) < 1e-9;
      const [score, base, other] = [parts.score(now), parts.score(1), parts.score(0)];
      const tile = (key, name, why) => make(
        "div", { className: "va-tile", title: why, "data-key": key }, make("small", {}, name), make("b", {}, percent(score[key])),
        parts.facts.semantic ? make("small", {}, `O alone ${percent(base[key])} · G alone ${percent(other[key])}`) : null,
      );
      tiles.replaceChildren(
        tile("accuracy", "images classified by their nearest proxy", "proxy classification: share of training images whose nearest proxy is their class's"),
        tile("recall", "proxies whose nearest image is right", "recall@1 of proxies as queries against the training images"),
        tile("map", "MAP@R, proxy to images", "mean average precision at R of proxies as queries"),
        ...(parts.facts.semantic ? [make("div", { className: "va-tile", title: "O is not normalised before fusion: |O| is several times |G|" }, make("small", {}, "real weight of O in q"), make("b", {}, percent(parts.meanWeight(now), 0)), make("small", {}, `α says ${percent(now, 0)}, but O is ${parts.meanLength().toFixed(1)} long and G is 1`))] : []),
      );
    }
    function showClass() {
      const label = focus();
      const [now, angle, turn] = [alpha(), parts.angle(label), parts.turn(label, alpha())];
      planeTitle.replaceChildren(make("bdi", {}, parts.names[label]), make("small", {}, parts.facts.semantic ? " in the plane of its O and G" : " in the plane of its O and its mean image"));
      const long = Math.sqrt(parts.lengths[label]).toFixed(1);
      const share = parts.weight(label, now);
      composition.hidden = !parts.facts.semantic;
      composition.setAttribute("aria-label", `q is made of ${percent(share, 0)} O and ${percent(1 - share, 0)} G`);
      const side = (kind, part) => {
        const one = make("span", {}, part > 0.12 ? `${LOOK[kind].sign} ${percent(part, 0)}` : "");
        Object.assign(one.style, { width: `${100 * part}%`, background: look(LOOK[kind]) });
        return one;
      };
      composition.replaceChildren(side("learned", share), side("semantic", 1 - share));
      planeFacts.textContent = parts.facts.semantic
        ? `O (length ${long}) and G (length 1) are ${degrees(angle)} apart; q lies ${degrees(turn)} from O and ${degrees(angle - turn)} from G. Beyond the dashed line: the ${parts.own[label].length} images nearest to q, exactly as retrieval ranks them.`
        : `O (length ${long}) is ${degrees(angle)} from the mean of its images. Beyond the dashed line: the ${parts.own[label].length} images nearest to O.`;
    }
    let stale = true;
    function showSoon(sort) {
      if (sort) sortLater();
      if (!stale) return;
      stale = false;
      frameRequest = requestAnimationFrame(() => {
        stale = true;
        showNow();
      });
    }
    function showNow() {
      showAlpha();
      showClass();
      fillTable();
      map.paint();
      plane.paint();
      curves.paint();
      stripsLater();
    }
    function start() {
      parts = new Parts(model);
      curve.clear();
      title.textContent = `Proxies of ${parts.facts.name}`;
      notes.replaceChildren(...parts.facts.notes.map((note) => make("div", {}, note)));
      fusion.hidden = lower.curves.hidden = !parts.facts.semantic;
      tableTitle.textContent = parts.facts.semantic ? "Where semantics help or hurt" : "Class by class";
      frameChoice.value = frame;
      sorted = { key: parts.facts.semantic ? "gain" : "ap", down: parts.facts.semantic };
      legend();
      buildTable();
      drawAttributes();
      showNow();
      drawStrips();
      markRow();
      if (parts.facts.semantic) fillCurve();
    }
    const signs = make("div", { className: "va-legend" });
    function legend() {
      const entry = (kind) => {
        const ratio = Math.max(1, Math.min(3, window.devicePixelRatio || 1));
        const canvas = make("canvas", { width: 16 * ratio, height: 16 * ratio, "aria-hidden": "true" });
        canvas.style.width = canvas.style.height = "16px";
        const context = canvas.getContext("2d");
        context.scale(ratio, ratio);
        mark(context, kind, [8, 8], 6, look(LOOK[kind]), ink("--paper"));
        return make("span", {}, canvas, `${LOOK[kind].title} ${LOOK[kind].sign}`);
      };
      const words = parts.facts.semantic
        ? [...["learned", "semantic", "fused"].map(entry), make("span", {}, make("i", { className: "va-helped" }), "semantics help"), make("span", {}, make("i", { className: "va-hurt" }), "hurt")]
        : [entry("learned"), make("span", {}, "■ mean of the class's images")];
      signs.replaceChildren(...words);
    }
    const planeSigns = make(
      "div", { className: "va-legend" }, make("span", {}, make("i", { className: "va-dot va-full" }), "own image, found"),
      make("span", {}, make("i", { className: "va-dot" }), "own, missed"), make("span", {}, make("b", { className: "va-cross" }, "✗"), "another class, found"), make("span", {}, make("i", { className: "va-dot va-other" }), "others"),
    );
    const lower = {
      curves: make("section", { className: "va-card" }, make("h4", {}, "Every alpha"), curves.box),
      table: make("section", { className: "va-card" }, tableTitle, tally, scroller),
    };
    const root = make(
      "div", { className: "vptsp va", role: "group", "aria-label": "proxy anatomy" },
      make("div", { className: "vptsp-bar" }, title, make("span", { className: "va-grow" }), helper), help.table, notes, fusion, tiles,
      make("div", { className: "va-pair" },
        make("section", { className: "va-card" }, make("div", { className: "va-head" }, make("h4", {}, "All classes"), frameChoice), signs, map.box),
        make("section", { className: "va-card" }, planeTitle, planeSigns, plane.box, composition, planeFacts)),
      make("div", { className: "va-pair" }, lower.curves, lower.table),
      make("section", { className: "va-card" }, strips), attributes, status.line,
    );
    root.addEventListener("keydown", (event) => {
      if (event.key !== "?") return;
      help.toggle();
      event.stopPropagation();
    });
    el.append(root);
    ends.push(
      onTheme((now) => {
        dark = now;
        root.classList.toggle("vptsp-dark", now);
        if (lines.length) {
          legend();
          drawAttributes();
          showSoon();
        }
      }),
      onTraits(model, {
        _facts: start, alpha: () => showSoon(true),
        _class: () => {
          markRow();
          showSoon();
          status.say(`${parts.names[focus()]}: ${order.indexOf(focus()) + 1} of ${count(parts.classes)} in the table`);
        },
      }),
      status.end, map.close, plane.close, curves.close, () => atlas.close(), () => clearTimeout(timer), () => cancelAnimationFrame(frameRequest),
    );
    start();
    let closed = false;
    ends.push(() => (closed = true));
    document.fonts?.ready.then(() => !closed && showSoon());
    return () => {
      ends.forEach((end) => end());
      root.remove();
    };
  },
};
