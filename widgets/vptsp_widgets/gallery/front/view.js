// A gallery: a query, its nearest images in order, and lists of queries worth a look.

import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { count } from "../../front/text.js";
import { onTheme } from "../../front/theme.js";
import { debounced } from "../../front/timing.js";
import { button, isolated } from "./elements.js";
import { chooser, imageOptions, proxyFinder } from "./find.js";
import { Images } from "./images.js";
import { KEYS, onKeys } from "./keys.js";
import { queryLists } from "./lists.js";
import { queryPanel } from "./panel.js";
import { Pictures } from "./pictures.js";
import { Requests } from "./requests.js";
import { answerFromTables } from "./saved.js";
import { pickedImages } from "./selection.js";
import { tileList } from "./tiles.js";
import { fileTaker } from "./uploads.js";
/** @import { Message } from "../../front/model.js" */
/** @import { Query } from "./requests.js" */

const GRID = 36; // tiles of a grid shown at once

export default {
  render({ model, el }) {
    const live = model.live !== false;
    const images = new Images(model, live);
    let query = null; // {row} | {proxy: [kind, number]} | {upload, name}
    let result = null; // the answer to it
    let grid = null; // {title, rows, of}: images without an order, in place of an answer
    let most = GRID; // tiles of the grid to show
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
    const selection = pickedImages(model, { shown: () => tiles.rows(), tell, changed: markPicked });
    const lists = queryLists(images, { ask, fetch: fetchList, redraw: () => draw(), say: status.say });
    const pictures = new Pictures(model, images, root);
    const findOptions = (text) => imageOptions(images, text, { ask, openClass: lists.openClass });
    const find = chooser("find a class or an image", "class, image id or number", findOptions);
    const uploads = fileTaker(root, { send: upload, say: status.say });
    const back = button("← Back", "the query before (Backspace)", goBack);
    const proxies = proxyFinder(model, ask);
    const many = make("select", { onchange: () => (model.set("k", Number(many.value)), model.save_changes()) });
    const manyLabel = make("label", {}, "Show", many);
    const onlyWrong = make("input", { type: "checkbox", onchange: () => draw() });
    const notes = make("div", { className: "vg-notes vg-soft" });
    const panel = queryPanel(model, images, pictures);
    const title = make("div", { className: "vg-title" });
    const tiles = tileList(images, pictures, selection, ask);
    root.append(
      make("div", { className: "vptsp-bar" },
        find.element, button("Random", "a random query (r)", lists.random),
        button("Random mistake", "a random query whose first image is wrong (m)", lists.randomMistake),
        uploads.open, uploads.file, proxies.element, back,
        make("span", { className: "vg-grow" }), button("?", "keys (?)", help.toggle)),
      make("div", { className: "vptsp-bar" },
        make("label", {}, "Browse", lists.which), lists.steps, lists.atLeastBox,
        manyLabel, make("label", {}, onlyWrong, "only wrong ones"),
        make("span", { className: "vg-grow" }), selection.all, selection.none),
      help.table, notes,
      make("div", { className: "vg-main" }, panel.element, make("div", { className: "vg-side" }, title, tiles.element)),
      status.line, uploads.dropHere,
    );
    el.append(root);

    // --- data ----------------------------------------------------------------------------------
    function read() {
      images.read();
      uploads.offer(live && model.get("_can_embed"));
      proxies.offer(live ? model.get("_proxy_kinds") : []);
      showMany();
      manyLabel.hidden = !live;
      const lines = [...(model.get("_notes") ?? [])];
      const [held, all] = [images.tabled?.size, images.labels.length];
      if (held !== undefined && held < all) lines.push(`this page holds the answers to ${count(held)} of ${count(all)} images`);
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

    /**
     * Search with a query; `told`: it comes from the model, which needs not be told.
     * @param {Query} asked
     */
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
    /** @param {Query} asked */
    const key = (asked) => JSON.stringify([asked?.row, asked?.proxy, asked?.upload]);
    const again = () => query && ask(query, { remember: false });

    function goBack() {
      const before = history.pop();
      if (before) ask(before, { remember: false });
    }

    /** @param {Message} message */
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
      tiles.markPicked();
      selection.draw();
    }
    function showSelection() {
      const rows = selection.rows();
      showGrid(`${count(rows.length)} selected images; choose one to search with`, rows, "selection");
    }
    function showGrid(text, rows, of) {
      [grid, most] = [{ title: text, rows, of }, GRID];
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

    /** `trouble`: why there is no answer to the query. */
    function draw(trouble = "") {
      let shown = null; // what was shown stays, dimmed, until the answer comes
      let moreButton = null;
      if (grid) {
        const rows = grid.rows.slice(0, most);
        title.replaceChildren(grid.title + (rows.length < grid.rows.length ? ` (the first ${count(rows.length)})` : ""));
        shown = rows.map((row) => ({ row }));
        if (rows.length < grid.rows.length) moreButton = button("Show more", "", showMore);
      } else if (result) {
        shown = result.rows
          .map((row, place) => ({ row, rank: place + 1, similarity: result.similarities[place], right: isRight(row) }))
          .filter((tile) => !onlyWrong.checked || tile.right === false);
        title.replaceChildren(
          !onlyWrong.checked ? "Nearest gallery images"
            : result.label < 0 ? "Right and wrong are not known for this query"
              : shown.length ? `Wrong ones among the ${result.rows.length} nearest: ${shown.length}`
                : `All of the ${result.rows.length} nearest are right`,
        );
      } else if (trouble) {
        shown = [];
        title.replaceChildren("No answer");
      }
      tiles.show(shown, query ? lists.other() : undefined, moreButton);
      drawPanel();
      lists.draw();
      markPicked();
      back.disabled = !history.length;
    }

    function drawPanel() {
      panel.draw(grid ? null : query, result);
    }

    function showMore() {
      const first = most;
      most += GRID;
      draw();
      tiles.focus(first);
    }

    onKeys(root, tiles, {
      Backspace: goBack, Escape: clear, "?": help.toggle, "/": () => find.input.focus(),
      n: () => lists.step(1), p: () => lists.step(-1), r: lists.random, m: lists.randomMistake,
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
