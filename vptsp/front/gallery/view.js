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
    let more = GRID;
    let own = false; // whether a change of the model is ours
    const history = [];
    let uploadName = ""; // of the file on its way

    // --- elements ------------------------------------------------------------------------------
    const root = make("div", {
      className: "vptsp vg", role: "group", "aria-label": "retrieval gallery", tabIndex: -1,
      "data-lm-suppress-shortcuts": "true", // a notebook would take Enter, Backspace and letters for its own
    });
    const status = statusLine(model);
    const help = helpPanel(KEYS);
    const requests = new Requests(model, root, status.say);
    const selection = pickedImages(model, { shown: shownRows, tell, changed: markPicked });
    const lists = queryLists(images, { ask, fetch: fetchList, redraw: () => draw(), say: status.say });
    const pictures = new Pictures(model, images, root);
    const findOptions = (text) => imageOptions(images, text, { ask, openClass: lists.openClass });
    const find = chooser("find a class or an image", "class, image id or number", findOptions);
    const uploads = fileTaker(root, { send: upload, say: status.say });
    const back = button("← Back", "the query before (Backspace)", goBack);
    const proxies = proxyFinder(model, ask);
    const many = make("select", { onchange: () => (model.set("k", Number(many.value)), model.save_changes()) });
    const onlyWrong = make("input", { type: "checkbox", onchange: () => draw() });
    const notes = make("div", { className: "vg-notes vg-soft" });
    const panel = make("section", { className: "vg-panel", "aria-label": "query" });
    const title = make("div", { className: "vg-title" });
    const tiles = make("ul", { className: "vg-tiles", role: "list" });
    root.append(
      make("div", { className: "vptsp-bar" },
        find.element, button("Random", "a random query (r)", lists.random),
        button("Random mistake", "a random query whose first image is wrong (m)", lists.randomMistake),
        uploads.open, uploads.file, proxies.element, back,
        make("span", { className: "vg-grow" }), button("?", "keys (?)", help.toggle)),
      make("div", { className: "vptsp-bar" },
        make("label", {}, "Browse", lists.which), lists.steps, lists.atLeastBox,
        make("label", {}, "Show", many), make("label", {}, onlyWrong, "only wrong ones"),
        make("span", { className: "vg-grow" }), selection.all, selection.none),
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
    }
    function showMany() {
      const choices = [...new Set([12, 24, 48, 96, model.get("k")])].sort((a, b) => a - b);
      many.replaceChildren(...choices.map((k) => make("option", { value: String(k) }, `${k} nearest`)));
      many.value = String(model.get("k"));
    }

    /** Sets traits of the model; that they change is no news then. */
    function tell(values) {
      own = true;
      for (const [name, value] of Object.entries(values)) model.set(name, value);
      model.save_changes();
      own = false;
    }

    // --- queries and answers -------------------------------------------------------------------
    const sendQuery = debounced((asked) => {
      if (asked === query) requests.send("query", { query: asked }, "waiting for the kernel");
    }, live ? 30 : 0);

    /** Search with a query; `told`: it comes from the model, which needs not be told. */
    function ask(asked, { remember = true, told = false } = {}) {
      if (asked.row !== undefined && !(asked.row in images.ids)) return;
      if (remember && query && key(query) !== key(asked)) history.push(query);
      history.splice(0, history.length - 200);
      [query, result, grid] = [asked, null, null];
      requests.dropAll();
      lists.follow(asked.row);
      if (!told) tell({ _query: asked.row === undefined ? asked : {}, _focused: asked.row ?? -1 });
      requests.announce("waiting for the kernel");
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
      if (message.kind === "result" && requests.answers(message, "query")) {
        requests.done();
        result = message;
        pictures.take(message.tiles, buffers, query?.upload);
        draw();
        status.say(grid ? "" : outcome());
      } else if (message.kind === "uploaded" && requests.answers(message, "upload")) {
        requests.done();
        ask({ upload: message.upload, name: uploadName });
      } else if (message.kind === "list") {
        lists.keep(message);
        if (requests.answers(message, "list")) {
          requests.done();
          status.say("");
          lists.resume();
        }
      } else if (message.kind === "failed" && requests.answersAny(message)) {
        requests.done();
        status.say(message.text);
        if (!requests.answers(message, "query") && query && !result && !grid) again(); // its answer was dropped for this
        else draw(message.text);
      }
    }

    function outcome() {
      const right = result.rows.filter((row) => isRight(row) === true).length;
      const judged = result.label < 0 ? "" : `: ${right} right, ${result.rows.length - right} wrong`;
      return `${result.rows.length} nearest of ${count(images.gallery)} gallery images${judged}.${lists.aboutPair()}`;
    }

    function upload(name, bytes) {
      uploadName = name;
      requests.dropAll();
      requests.send("upload", { name }, `embedding ${isolated(name)}, waiting for the kernel`, [bytes]);
    }

    function fetchList(name, text) {
      requests.drop("query");
      requests.send("list", { which: name }, text);
    }

    // --- what is shown -------------------------------------------------------------------------
    function markPicked() {
      for (const tile of tiles.querySelectorAll("button.vg-tile")) {
        tile.setAttribute("aria-pressed", String(selection.has(Number(tile.dataset.row))));
      }
      selection.draw();
    }
    function showSelection() {
      const rows = selection.rows();
      showGrid(`${count(rows.length)} selected images; choose one to search with`, rows, "selection");
    }
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
      [query, result] = [null, null];
      lists.close();
      requests.dropAll();
      requests.done();
      help.table.hidden = true;
      tell({ _query: {}, _focused: -1 });
      if (selection.rows().length) selection.clear();
      start();
      status.say("");
    }

    const isRight = (row) => (result.label < 0 ? null : images.labels[row] === result.label);
    function shownRows() {
      return [...tiles.querySelectorAll("button.vg-tile")].map((tile) => Number(tile.dataset.row));
    }

    function tileOf(row, rank, similarity) {
      const right = result && rank ? isRight(row) : null;
      const other = query && lists.other() === row;
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
          "aria-pressed": String(selection.has(row)),
          className: `vg-tile ${right === null ? "" : right ? "vg-right" : "vg-wrong"} ${other ? "vg-other" : ""}`,
          onclick(event) {
            if (event.ctrlKey || event.metaKey || event.shiftKey) selection.toggle(row);
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
      lists.draw();
      markPicked();
      back.disabled = !history.length;
    }

    function showMore() {
      const first = more;
      more += GRID;
      draw();
      tiles.querySelectorAll("button")[first]?.focus();
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
      n: () => lists.step(1), p: () => lists.step(-1), r: lists.random, m: lists.randomMistake,
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
        selection.toggle(Number(all[at].dataset.row));
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
        [query, result] = [null, null];
        requests.dropAll();
        requests.done();
        if (grid?.of !== "selection") start();
        else draw();
        status.say("");
      }
    }
    function selectionCame() {
      if (own) return;
      selection.read();
      if (selection.rows().length > 1) {
        showSelection();
        if (!requests.waiting) status.say(""); // what was said of the answer before
      } else if (grid?.of === "selection") start();
      else markPicked();
    }
    function imagesCame() {
      pictures.forget();
      lists.forget();
      history.length = 0;
      [query, result, grid] = [null, null, null];
      requests.dropAll();
      read();
      start();
    }
    const end = onTraits(model, {
      _focused: focusCame, _query: focusCame, _selected: selectionCame, _ids: imagesCame,
      k: () => (showMany(), again()),
      status: () => model.get("status") && requests.waiting && requests.done(),
    });
    model.on("msg:custom", receive);
    read();
    const endTheme = onTheme((dark) => {
      root.classList.toggle("vptsp-dark", dark);
      if (result && !grid) drawPanel();
    });
    if (selection.rows().length > 1 && model.get("_focused") < 0) showSelection();
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
