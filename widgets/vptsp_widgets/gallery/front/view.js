// A gallery: a query, its nearest images in order, and lists of queries worth a look.

import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { presenter } from "../../front/presenter.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { count } from "../../front/text.js";
import { onTheme } from "../../front/theme.js";
import { besideQuery } from "./beside.js";
import { compareTwo } from "./compare.js";
import { button } from "./elements.js";
import { chooser, imageOptions, proxyFinder, wordsFinder } from "./find.js";
import { Images } from "./images.js";
import { KEYS, onKeys } from "./keys.js";
import { queryLists } from "./lists.js";
import { queryPanel } from "./panel.js";
import { Pictures } from "./pictures.js";
import { Requests } from "./requests.js";
import { answerFromTables } from "./saved.js";
import { Search, keyOf } from "./search.js";
import { pickedImages } from "./selection.js";
import { shownImages } from "./shown.js";
import { tileList } from "./tiles.js";
import { fileTaker } from "./uploads.js";
/** @import { Query } from "./requests.js" */

export default {
  render({ model, el }) {
    const live = model.live !== false;
    const images = new Images(model, live);
    const root = make("div", {
      className: "vptsp vg", role: "group", "aria-label": "retrieval gallery", tabIndex: -1,
      "data-lm-suppress-shortcuts": "true", // a notebook would take Enter, Backspace and letters for its own
    });
    const status = statusLine(model);
    const help = helpPanel(KEYS);
    const requests = new Requests(model, root, status.say);
    const search = new Search(model, images, requests, {
      asked(/** @type {Query} */ asked) {
        shown.dropGrid();
        lists.follow(asked.row);
        draw();
      },
      answered(message, buffers) {
        pictures.take(message.tiles, buffers, search.query?.upload);
        draw();
        status.say(shown.of ? "" : search.outcome() + lists.aboutPair());
      },
      ranked: () => drawPanel(),
      failed(text) {
        status.say(text);
        draw(text);
      },
      listed(message, wanted) {
        lists.keep(message);
        if (!wanted) return;
        status.say("");
        lists.resume();
      },
      answerless: () => Boolean(search.query) && !search.result && !shown.of,
    });
    const ask = (/** @type {Query} */ asked, options = {}) => search.ask(asked, options);
    const selection = pickedImages(model, {
      shown: () => tiles.rows(), tell: (values) => search.tell(values), changed: markPicked, compare: (rows) => compared.open(rows),
    });
    const lists = queryLists(images, { ask, fetch: (name, text) => search.fetchList(name, text), redraw: () => draw(), say: status.say });
    const pictures = new Pictures(model, images, root, () => (drawPanel(), beside.draw(), compared.draw()));
    const tiles = tileList(images, pictures, selection, { ask, look: (place) => beside.open(place) });
    const beside = besideQuery(search, images, pictures, { ask, closed: tiles.focusRank });
    const compared = compareTwo(model, images, pictures, { ask, closed: () => selection.two.focus() });
    const shown = shownImages(search, tiles, { redraw: () => draw(), other: lists.other });
    const find = chooser("find a class or an image", "class, image id or number", (text) => imageOptions(images, text, { ask, openClass: lists.openClass }));
    const uploads = fileTaker(root, { send: (name, bytes) => search.upload(name, bytes), say: status.say });
    const back = button("← Back", "the query before (Backspace)", () => search.back());
    const proxies = proxyFinder(model, ask);
    const words = wordsFinder(ask);
    const many = make("select", { onchange: () => (model.set("k", Number(many.value)), model.save_changes()) });
    const manyLabel = make("label", {}, "Show", many);
    const notes = make("div", { className: "vg-notes vg-soft" });
    const present = presenter(lists.steps);
    const panel = queryPanel(model, images, pictures);
    root.append(
      make("div", { className: "vptsp-bar" },
        find.element, button("Random", "a random query (r)", lists.random),
        button("Random mistake", "a random query whose first image is wrong (m)", lists.randomMistake),
        uploads.open, uploads.file, words.element, proxies.element, back,
        make("span", { className: "vg-grow" }), button("?", "keys (?)", help.toggle), present.button),
      make("div", { className: "vptsp-bar vptsp-fold" },
        make("label", {}, "Browse", lists.which), lists.stepper, lists.atLeastBox,
        manyLabel, make("label", {}, shown.onlyWrong, "only wrong ones"),
        make("span", { className: "vg-grow" }), selection.two, selection.all, selection.none),
      help.table, notes, status.line,
      make("div", { className: "vg-main vptsp-stretch" }, panel.element, make("div", { className: "vg-side" }, shown.title, tiles.element)),
      uploads.dropHere, beside.element, compared.element,
    );
    el.append(root);
    onKeys(root, tiles, {
      Backspace: () => search.back(), Escape: clear, "?": help.toggle, "/": () => find.input.focus(),
      n: () => lists.step(1), p: () => lists.step(-1), r: lists.random, m: lists.randomMistake,
      c: selection.compareTwo,
    });

    // --- what is shown -------------------------------------------------------------------------
    function draw(trouble = "") {
      shown.draw(trouble);
      drawPanel();
      lists.draw();
      markPicked();
      back.disabled = !search.history.length;
    }
    function drawPanel() {
      panel.draw(shown.of ? null : search.query, search.result);
    }
    function markPicked() {
      tiles.markPicked();
      selection.draw();
    }
    function showSelection() {
      const rows = selection.rows();
      shown.showGrid(`${count(rows.length)} selected images; choose one to search with`, rows, "selection");
    }

    /** Nothing is asked yet, or no longer: an image of each class to choose from. */
    function start() {
      if (search.query) return ask(search.query, { remember: false, told: true });
      const rows = images.ofEachClass();
      shown.showGrid(`${count(rows.length)} classes, an image of each; choose one to search with`, rows, "start");
    }
    function clear() {
      search.drop();
      lists.close();
      help.table.hidden = true;
      search.tell({ _query: {}, _focused: -1 });
      if (selection.rows().length) selection.clear();
      start();
      status.say("");
    }

    // --- the model -----------------------------------------------------------------------------
    function read() {
      images.read();
      uploads.offer(live && model.get("_can_embed"));
      words.offer(live && Boolean(model.get("_takes_text")));
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
    function focusCame() {
      if (search.own) return;
      const row = model.get("_focused");
      const other = model.get("_query") ?? {};
      const wanted = row >= 0 ? { row } : Object.keys(other).length ? other : null;
      if (wanted && keyOf(wanted) !== keyOf(search.query)) ask(wanted, { told: true });
      else if (!wanted && search.query) {
        search.drop();
        if (shown.of !== "selection") start();
        else draw();
        status.say("");
      }
    }
    function selectionCame() {
      if (search.own) return;
      selection.read();
      if (selection.rows().length > 1) {
        showSelection();
        if (!requests.waiting) status.say(""); // what was said of the answer before
      } else if (shown.of === "selection") start();
      else markPicked();
    }
    function imagesCame() {
      compared.element.close(); // the two are not among these
      pictures.forget();
      lists.forget();
      search.history.length = 0;
      [search.query, search.result] = [null, null];
      shown.dropGrid();
      requests.dropAll();
      read();
      start();
    }
    const receive = (message, buffers) => search.receive(message, buffers);
    model.on("msg:custom", receive);
    read();
    const ends = [
      onTraits(model, {
        _focused: focusCame, _query: focusCame, _selected: selectionCame, _ids: imagesCame,
        k: () => (showMany(), search.again()),
        status: () => model.get("status") && requests.waiting && requests.done(),
      }),
      onTheme(root, () => search.result && !shown.of && drawPanel()),
      status.end, () => model.off("msg:custom", receive), () => (pictures.close(), compared.close()),
    ];
    if (selection.rows().length > 1 && model.get("_focused") < 0) showSelection();
    else {
      focusCame();
      if (!search.query) start();
    }

    return () => {
      ends.forEach((end) => end());
      root.remove();
    };
  },

  /** In a page without a kernel: the answers that were put into it. */
  answer: answerFromTables,
};
