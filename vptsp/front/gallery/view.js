// A gallery: a query, its nearest images in order, and lists of queries worth a look.

const GRID = 36; // tiles of a grid shown at once
const KEYS = [
  ["arrows", "move through the tiles"],
  ["Enter", "search with the tile"],
  ["Space, Ctrl + click", "select the tile, for linked views"],
  ["Backspace", "back to the query before"],
  ["n / p", "next and previous query of the list"],
  ["r / m", "random query, random mistake"],
  ["/", "find a class or an image"],
  ["Esc", "clear query, list and selection"],
  ["?", "show or hide this help"],
];
const LISTS = {
  mistakes: "mistakes (first image wrong)",
  hardest: "hardest negatives",
  duplicates: "near duplicates",
};

/** Where the images of the query's class are among all, on a logarithmic line of ranks. */
function drawRanks(canvas, ranks, last) {
  const ratio = Math.max(1, window.devicePixelRatio || 1);
  const [width, height] = [196, 34];
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const pen = canvas.getContext("2d");
  const colour = (name) => getComputedStyle(canvas).getPropertyValue(name);
  const place = (rank) => 6 + (Math.log(rank) / Math.max(Math.log(last), 1e-9)) * (width - 14);
  pen.scale(ratio, ratio);
  pen.fillStyle = colour("--rule");
  pen.fillRect(0, 17, width, 1);
  pen.fillStyle = colour("--right");
  for (const rank of ranks) pen.fillRect(place(rank) - 1, 2, 2, 15);
  pen.fillStyle = colour("--soft");
  pen.font = "10px system-ui, sans-serif";
  for (let rank = 1; rank <= last; rank *= 10) {
    pen.fillRect(place(rank), 17, 1, 4);
    const text = rank < 1000 ? String(rank) : `${rank / 1000}k`;
    pen.textAlign = rank === 1 ? "left" : place(rank) > width - 12 ? "right" : "center";
    pen.fillText(text, place(rank) + (rank === 1 ? -2 : 0), 31);
  }
}

export default {
  render({ model, el }) {
    const live = model.live !== false;
    const images = new Images(model, live);
    let query = null; // {row} | {proxy: [kind, number]} | {upload, name}
    let result = null; // the answer to it
    let grid = null; // {title, rows, of}: images without an order, in place of an answer
    let list = null; // {which, title, rows, others, values, note, at}: queries to step through
    let waiting = "";
    let counter = 0;
    let latest = {}; // kind of request -> its number; answers to older ones are dropped
    let afterList = null;
    let picked = new Set(int32(model.get("_selected")));
    let more = GRID;
    let own = false; // whether a change of the model is ours
    const history = [];
    const known = new Map(); // lists that have come

    // --- elements ------------------------------------------------------------------------------
    const root = make("div", {
      className: "vptsp vg", role: "group", "aria-label": "retrieval gallery", tabIndex: -1,
      "data-lm-suppress-shortcuts": "true", // a notebook would take Enter, Backspace and letters for its own
    });
    const status = statusLine(model);
    const help = helpPanel(KEYS);
    const pictures = new Pictures(model, images, root);
    const findOptions = (text) => imageOptions(images, text, { ask, openClass });
    const find = chooser("find a class or an image", "class, image id or number", findOptions);
    const uploads = fileTaker(root, { send: upload, say: status.say });
    const back = button("← Back", "the query before (Backspace)", goBack);
    const proxies = proxyFinder(model, ask);
    const which = make("select", { "aria-label": "list of queries", onchange: () => openList(which.value) });
    const previous = button("‹", "previous query of the list (p)", () => step(-1));
    const next = button("›", "next query of the list (n)", () => step(1));
    const place = make("span", { className: "vg-place" });
    const steps = make("span", { className: "vg-steps" }, previous, place, next);
    const atLeast = make("input", { type: "range", max: "1", step: "any", oninput: () => narrow() });
    const atLeastText = make("output", {});
    const atLeastBox = make("label", { hidden: true }, "similarity ≥", atLeast, atLeastText);
    const many = make("select", { onchange: () => (model.set("k", Number(many.value)), model.save_changes()) });
    const onlyWrong = make("input", { type: "checkbox", onchange: () => draw() });
    const pickAll = button("Select all shown", "select the tiles shown, for linked views", () => pick(shownRows(), true));
    const unpick = button("Clear selection", "", () => pick([...picked], false));
    const notes = make("div", { className: "vg-notes vg-soft" });
    const panel = make("section", { className: "vg-panel", "aria-label": "query" });
    const title = make("div", { className: "vg-title" });
    const tiles = make("ul", { className: "vg-tiles", role: "list" });
    root.append(
      make("div", { className: "vptsp-bar" },
        find.element, button("Random", "a random query (r)", random),
        button("Random mistake", "a random query whose first image is wrong (m)", () => needList("mistakes", randomMistake)),
        uploads.open, uploads.file, proxies.element, back,
        make("span", { className: "vg-grow" }), button("?", "keys (?)", help.toggle)),
      make("div", { className: "vptsp-bar" },
        make("label", {}, "Browse", which), steps, atLeastBox,
        make("label", {}, "Show", many), make("label", {}, onlyWrong, "only wrong ones"),
        make("span", { className: "vg-grow" }), pickAll, unpick),
      help.table, notes,
      make("div", { className: "vg-main" }, panel, make("div", { className: "vg-side" }, title, tiles)),
      status.line, uploads.dropHere,
    );
    el.append(root);

    // --- data ----------------------------------------------------------------------------------
    function read() {
      images.read();
      uploads.offer(live && model.get("_can_embed"));
      proxies.offer(live ? model.get("_proxy_kinds") : []);
      showMany();
      many.parentElement.hidden = !live;
      const lines = [...(model.get("_notes") ?? [])];
      const [held, all] = [images.tabled?.size, images.labels.length];
      if (held < all) lines.push(`this page holds the answers to ${count(held)} of ${count(all)} images`);
      notes.replaceChildren(...lines.map((line) => make("div", {}, line)));
      listChoices();
    }
    function showMany() {
      const choices = [...new Set([12, 24, 48, 96, model.get("k")])].sort((a, b) => a - b);
      many.replaceChildren(...choices.map((k) => make("option", { value: String(k) }, `${k} nearest`)));
      many.value = String(model.get("k"));
    }

    // --- requests ------------------------------------------------------------------------------
    function request(kind, message, text, buffers) {
      latest[kind] = ++counter;
      waiting = text;
      status.say(`${text} …`);
      root.classList.add("vg-busy");
      root.setAttribute("aria-busy", "true");
      model.send({ kind, number: counter, ...message }, undefined, buffers);
    }
    const done = () => {
      waiting = "";
      root.classList.remove("vg-busy");
      root.setAttribute("aria-busy", "false");
    };
    const sendQuery = debounced((asked) => {
      if (asked === query) request("query", { query: asked }, "waiting for the kernel");
    }, live ? 30 : 0);

    /** Search with a query; `told`: it comes from the model, which needs not be told. */
    function ask(asked, { remember = true, told = false } = {}) {
      if (asked.row !== undefined && !(asked.row in images.ids)) return;
      if (remember && query && key(query) !== key(asked)) history.push(query);
      history.splice(0, history.length - 200);
      [query, result, grid] = [asked, null, null];
      latest = {}; // whatever is under way is no longer wanted
      if (list && list.rows[list.at] !== asked.row) {
        const at = list.rows.indexOf(asked.row);
        list.at = at;
      }
      if (!told) {
        own = true;
        model.set("_query", asked.row === undefined ? asked : {});
        model.set("_focused", asked.row ?? -1);
        model.save_changes();
        own = false;
      }
      status.say("waiting for the kernel …");
      root.classList.add("vg-busy");
      draw();
      sendQuery(asked);
    }
    const key = (asked) => JSON.stringify([asked?.row, asked?.proxy, asked?.upload]);
    const again = () => query && ask(query, { remember: false });

    function goBack() {
      const before = history.pop();
      if (before) ask(before, { remember: false });
    }

    function receive(message, buffers) {
      if (message.kind === "result" && message.number === latest.query) {
        done();
        result = message;
        pictures.take(message.tiles, buffers, query?.upload);
        draw();
        status.say(grid ? "" : outcome());
      } else if (message.kind === "uploaded" && message.number === latest.upload) {
        done();
        ask({ upload: message.upload, name: pendingName });
      } else if (message.kind === "list") {
        known.set(message.which, message);
        if (message.number === latest.list) {
          done();
          status.say("");
          afterList?.();
        }
      } else if (message.kind === "failed" && Object.values(latest).includes(message.number)) {
        done();
        status.say(message.text);
        if (message.number !== latest.query && query && !result && !grid) again(); // its answer was dropped for this
        else draw(message.text);
      }
    }

    function outcome() {
      const right = result.rows.filter((row) => isRight(row) === true).length;
      const judged = result.label < 0 ? "" : `: ${right} right, ${result.rows.length - right} wrong`;
      return `${result.rows.length} nearest of ${count(images.gallery)} gallery images${judged}.${aboutPair()}`;
    }

    function aboutPair() {
      if (!list?.others || list.at < 0) return "";
      const other = list.others[list.at];
      const what = list.which === "duplicates" ? "Near duplicate" : "Nearest wrong image";
      const same = images.labels[other] === images.labels[query.row] ? "the same class" : "another class";
      return ` ${what}: ${isolated(images.ids[other])}, of ${same}, similarity ${list.values[list.at].toFixed(3)}.`;
    }

    // --- uploads -------------------------------------------------------------------------------
    let pendingName = "";
    function upload(name, bytes) {
      pendingName = name;
      latest = {};
      request("upload", { name }, `embedding ${isolated(name)}, waiting for the kernel`, [bytes]);
    }

    // --- lists of queries ----------------------------------------------------------------------
    function listChoices() {
      const options = [make("option", { value: "" }, "no list")];
      for (const [value, text] of Object.entries(LISTS)) options.push(make("option", { value }, text));
      if (list?.which === "class") options.push(make("option", { value: "class" }, list.title));
      which.replaceChildren(...options);
      which.value = list?.which ?? "";
    }

    function needList(name, act) {
      if (known.has(name)) return act();
      const taken = Math.min(images.queries.length, 5000);
      const sample = taken < images.queries.length ? `a sample of ${count(taken)}` : count(taken);
      latest.query = 0;
      afterList = act;
      request("list", { which: name }, `working: comparing ${sample} queries with all images, once; waiting for the kernel`);
    }

    function openList(name) {
      if (name === "class") return;
      list = null;
      if (!name) {
        listChoices();
        draw();
        return;
      }
      needList(name, () => {
        const found = known.get(name);
        list = { ...found, title: LISTS[name], at: -1 };
        if (name === "duplicates") {
          atLeast.min = String(Math.min(0.95, found.values.at(-1) ?? 0));
          atLeast.value = String(Math.max(0.95, found.values[199] ?? 0)); // a set of look-alikes starts with few
          narrow();
        } else first();
      });
    }

    /** Near duplicates above the similarity of the slider; they come in order. */
    function narrow() {
      atLeastText.textContent = Number(atLeast.value).toFixed(3);
      const found = known.get("duplicates");
      const kept = found.values.filter((value) => value >= Number(atLeast.value)).length;
      list = { ...list, rows: found.rows.slice(0, kept), others: found.others, values: found.values, most: found.values[0] };
      first();
    }

    function first() {
      listChoices();
      if (list.rows.length) {
        list.at = 0;
        ask({ row: list.rows[0] });
        return;
      }
      list.at = -1;
      draw();
      const most = list.most === undefined ? "" : `; the most similar pair has ${list.most.toFixed(3)}`;
      status.say(`no queries in this list: ${list.title}${most}`);
    }

    function openClass(label) {
      const rows = images.rows.get(label);
      const queries = rows.filter((row) => images.isQuery(row));
      list = { which: "class", title: `class: ${oneLine(images.classes[label])}`, rows: queries.length ? queries : rows, at: -1, note: "" };
      first();
    }

    function step(by) {
      if (!list?.rows.length) return;
      const { length } = list.rows;
      list.at = list.at < 0 ? 0 : (list.at + by + length) % length;
      ask({ row: list.rows[list.at] });
    }

    const anyOf = (rows) => rows[Math.floor(Math.random() * rows.length)];
    function random() {
      ask({ row: anyOf(images.queries) });
    }
    function randomMistake() {
      const rows = known.get("mistakes").rows;
      if (rows.length) ask({ row: anyOf(rows) });
      else status.say("there are no mistakes: the first image is right for every query");
    }

    // --- selection -----------------------------------------------------------------------------
    function pick(rows, on) {
      for (const row of rows) if (on) picked.add(row); else picked.delete(row);
      own = true;
      model.set("_selected", bytesOf(Int32Array.from([...picked].sort((a, b) => a - b))));
      model.save_changes();
      own = false;
      markPicked();
    }
    function markPicked() {
      for (const tile of tiles.querySelectorAll("button.vg-tile")) {
        tile.setAttribute("aria-pressed", String(picked.has(Number(tile.dataset.row))));
      }
      pickAll.hidden = !tiles.querySelector("button.vg-tile");
      unpick.hidden = !picked.size;
      unpick.textContent = `Clear selection (${count(picked.size)})`;
    }
    function selectionCame() {
      if (own) return;
      picked = new Set(int32(model.get("_selected")));
      if (picked.size > 1) {
        showGrid(`${count(picked.size)} selected images; choose one to search with`, [...picked], "selection");
        if (!waiting) status.say(""); // what was said of the answer before
      } else if (grid?.of === "selection") start();
      else markPicked();
    }

    // --- what is shown -------------------------------------------------------------------------
    function showGrid(text, rows, of) {
      [grid, more] = [{ title: text, rows, of }, GRID];
      draw();
    }

    /** Nothing is asked yet, or no longer: an image of each class to choose from. */
    function start() {
      if (query) return ask(query, { remember: false, told: true });
      const rows = images.ofEachClass();
      showGrid(`${count(rows.length)} classes, an image of each; choose one to search with`, rows, "start");
    }

    function clear() {
      [query, result, list, latest] = [null, null, null, {}];
      done();
      help.table.hidden = true;
      own = true;
      model.set("_query", {});
      model.set("_focused", -1);
      model.save_changes();
      own = false;
      if (picked.size) pick([...picked], false);
      listChoices();
      start();
      status.say("");
    }

    const isRight = (row) => (result.label < 0 ? null : images.labels[row] === result.label);
    function shownRows() {
      return [...tiles.querySelectorAll("button.vg-tile")].map((tile) => Number(tile.dataset.row));
    }

    function tileOf(row, rank, similarity) {
      const right = result && rank ? isRight(row) : null;
      const other = list?.others && list.at >= 0 && query && list.others[list.at] === row;
      const word = right === null ? "" : right ? ", right" : ", wrong";
      const name = oneLine(images.nameOf(row));
      const label = (rank ? `rank ${rank}, ` : "") + `${name}${word}` + (rank ? `, similarity ${similarity.toFixed(3)}` : "");
      const line = rank && make(
        "span", { className: "vg-line" },
        right === null ? null : make("span", { className: "vg-mark" }, right ? "✓" : "✗"),
        make("b", {}, String(rank)), make("span", {}, similarity.toFixed(3)),
      );
      const tile = make(
        "button",
        {
          type: "button", title: `${oneLine(images.ids[row])} (${name})`, "aria-label": label, tabIndex: -1,
          "aria-pressed": String(picked.has(row)),
          className: `vg-tile ${right === null ? "" : right ? "vg-right" : "vg-wrong"} ${other ? "vg-other" : ""}`,
          onclick(event) {
            if (event.ctrlKey || event.metaKey || event.shiftKey) pick([row], !picked.has(row));
            else ask({ row });
          },
        },
        pictures.element(row, 92, label), line || null, make("span", { className: "vg-name" }, bdi(images.nameOf(row))),
      );
      tile.dataset.row = row;
      return make("li", {}, tile);
    }

    /** `trouble`: why there is no answer to the query. */
    function draw(trouble = "") {
      const held = tiles.contains(document.activeElement);
      const built = [];
      if (grid) {
        const rows = grid.rows.slice(0, more);
        title.replaceChildren(grid.title + (rows.length < grid.rows.length ? ` (the first ${count(rows.length)})` : ""));
        built.push(...rows.map((row) => tileOf(row)));
        if (rows.length < grid.rows.length) {
          built.push(make("li", {}, button("Show more", "", showMore)));
        }
      } else if (result) {
        const kept = result.rows.map((row, place) => [row, place + 1]).filter(([row]) => !onlyWrong.checked || isRight(row) === false);
        built.push(...kept.map(([row, rank]) => tileOf(row, rank, result.similarities[rank - 1])));
        title.replaceChildren(
          !onlyWrong.checked ? "Nearest gallery images"
            : result.label < 0 ? "Right and wrong are not known for this query"
              : kept.length ? `Wrong ones among the ${result.rows.length} nearest: ${kept.length}`
                : `All of the ${result.rows.length} nearest are right`,
        );
      }
      if (trouble && !grid && !result) title.replaceChildren("No answer");
      if (grid || result || trouble) tiles.replaceChildren(...built); // what was shown stays, dimmed, until the answer comes
      const first = tiles.querySelector("button");
      if (first) first.tabIndex = 0;
      if (held) first?.focus();
      drawPanel();
      drawPlace();
      markPicked();
      back.disabled = !history.length;
    }

    function showMore() {
      const first = more;
      more += GRID;
      draw();
      tiles.querySelectorAll("button")[first]?.focus();
    }

    function drawPlace() {
      const most = list?.rows.length ?? 0;
      const number = list && list.at >= 0 ? count(list.at + 1) : "–";
      place.textContent = list ? `${number} of ${count(most)}` : "";
      place.title = list?.note ?? "";
      if (list?.note) place.textContent += ` (${list.note})`;
      steps.hidden = !list;
      previous.disabled = next.disabled = !most;
      atLeastBox.hidden = list?.which !== "duplicates";
    }

    function drawPanel() {
      panel.hidden = !query || Boolean(grid);
      if (panel.hidden) return;
      const facts = [];
      let image;
      let heading;
      if (query.row !== undefined) {
        image = pictures.element(query.row, 196, `query: ${oneLine(images.nameOf(query.row))}`);
        heading = bdi(images.nameOf(query.row));
        facts.push(make("div", { className: "vg-id vg-soft" }, bdi(images.ids[query.row])));
      } else if (query.upload) {
        image = pictures.ofUpload(query.upload, `query: the file ${oneLine(query.name)}`);
        heading = bdi(query.name);
        facts.push(make("div", { className: "vg-soft" }, "a file of your own; its class is not known"));
      } else {
        const name = model.get("_proxy_names")[query.proxy[1]];
        image = make("span", { className: "vg-missing vg-proxy" }, make("span", { style: { fontSize: "52px", lineHeight: "1.1", color: "var(--accent)" } }, "◆"), make("span", {}, `${oneLine(query.proxy[0])} proxy`));
        heading = bdi(name);
        facts.push(make("div", { className: "vg-soft" }, "what this proxy takes its class to look like"));
        if (result && result.label < 0) facts.push(make("div", {}, "None of these images is of this class."));
      }
      if (result && result.label >= 0) facts.push(...factsOf(result));
      panel.replaceChildren(
        make("div", { className: "vg-query" }, image),
        make("div", { className: "vg-facts" }, make("div", { className: "vg-soft" }, "Query"), make("h3", {}, heading), ...facts),
      );
    }

    function factsOf({ ranks, relevant, precision }) {
      if (!relevant) return [make("div", {}, "No other image of its class is in the gallery.")];
      const some = ranks.slice(0, 8).map(count).join(", ") + (relevant > 8 ? ", …" : "");
      const strip = make("canvas", { role: "img", "aria-label": `ranks of the images of its class: ${some}` });
      const rows = [
        ["to find (R)", count(relevant)],
        ["first right image", `rank ${count(ranks[0])}`],
        [`right in the top ${count(relevant)}`, `${(100 * precision).toFixed(0)} %`],
      ];
      requestAnimationFrame(() => strip.isConnected && drawRanks(strip, ranks, Math.max(2, images.gallery)));
      return [
        make("table", {}, ...rows.map(([what, value]) => make("tr", {}, make("th", { scope: "row" }, what), make("td", {}, value)))),
        make("div", { className: "vg-soft" }, "ranks of the true images"),
        strip,
        make("div", { className: "vg-ranks" }, some),
      ];
    }

    // --- keys ----------------------------------------------------------------------------------
    const shortcuts = {
      Backspace: goBack, Escape: clear, "?": help.toggle, "/": () => find.input.focus(),
      n: () => step(1), p: () => step(-1), r: random, m: () => needList("mistakes", randomMistake),
    };
    function onKey(event) {
      const typing = event.target.matches("input, select, textarea");
      if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
      const all = [...tiles.querySelectorAll("button")];
      const at = all.indexOf(event.target);
      const columns = Math.max(1, all.filter((tile) => tile.offsetTop === all[0].offsetTop).length);
      const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
      if (move !== undefined) all[at < 0 ? 0 : Math.max(0, Math.min(all.length - 1, at + move))]?.focus();
      else if (event.key === "Home" || event.key === "End") all.at(event.key === "Home" ? 0 : -1)?.focus();
      else if (event.key === " " && at >= 0 && all[at].dataset.row) {
        pick([Number(all[at].dataset.row)], !picked.has(Number(all[at].dataset.row)));
      } else if (shortcuts[event.key]) shortcuts[event.key]();
      else return;
      event.preventDefault();
      event.stopPropagation();
    }
    root.addEventListener("keydown", onKey);
    tiles.addEventListener("focusin", (event) => {
      for (const tile of tiles.querySelectorAll("button")) tile.tabIndex = tile === event.target ? 0 : -1;
    });

    // --- the model -----------------------------------------------------------------------------
    function focusCame() {
      if (own) return;
      const row = model.get("_focused");
      const other = model.get("_query") ?? {};
      const wanted = row >= 0 ? { row } : Object.keys(other).length ? other : null;
      if (wanted && key(wanted) !== key(query)) ask(wanted, { told: true });
      else if (!wanted && query) {
        [query, result, latest] = [null, null, {}];
        done();
        if (grid?.of !== "selection") start();
        else draw();
        status.say("");
      }
    }
    function imagesCame() {
      pictures.forget();
      known.clear();
      history.length = 0;
      [query, result, list, grid, latest] = [null, null, null, null, {}];
      read();
      start();
    }
    const end = onTraits(model, {
      _focused: focusCame, _query: focusCame, _selected: selectionCame, _ids: imagesCame,
      k: () => (showMany(), again()),
      status: () => model.get("status") && waiting && done(),
    });
    model.on("msg:custom", receive);
    read();
    const endTheme = onTheme((dark) => {
      root.classList.toggle("vptsp-dark", dark);
      if (result && !grid) drawPanel();
    });
    if (picked.size > 1 && model.get("_focused") < 0) showGrid(`${count(picked.size)} selected images; choose one to search with`, [...picked], "selection");
    else {
      focusCame();
      if (!query) start();
    }

    return () => {
      end();
      endTheme();
      status.end();
      model.off("msg:custom", receive);
      pictures.close();
      root.remove();
    };
  },

  /** In a page without a kernel: the answers that were put into it. */
  answer: answerFromTables,
};
