// What keys and the search field do to the map: step from image to image, select, clear, find.

import { images } from "./cloud.js";
/** @import { Space } from "./view.js" */

/** @param {Space} space */
export function commandsOf(space) {
  const { choice, stage, bar } = space;
  const say = space.status.say;

  /** Focuses the nearest image in a direction of the screen. */
  function step(dx, dy) {
    const row = choice.focusShown;
    const next = row >= 0 ? space.cloud.towards(row, dx, dy) : space.cloud.nearest(stage.width / 2, stage.height / 2, Infinity);
    if (next >= 0) space.focus(next);
    else say("no image further in that direction");
  }

  function enter(event) {
    const row = choice.focusShown;
    if (row >= 0) space.combine([row], event);
    else say("focus an image first: with the arrows, or by a click");
  }

  /** Clears one thing: the most passing first. */
  function escape() {
    const { state } = space;
    if (!space.help.table.hidden) space.help.toggle();
    else if (!space.views.element.hidden) space.views.toggle();
    else if (stage.gestures.dragging) stage.gestures.cancel();
    else if (stage.gestures.lassoing) space.toggleLasso(false);
    else if (state.find || bar.finder.text) {
      bar.finder.clear();
      space.change({ find: "" });
    } else if (state.solo.length) space.solo([]);
    else if (state.filter.length) space.change({ filter: [] });
    else if (space.cloud.selected.includes(1)) space.combine([]);
    else space.focus(-1);
  }

  /** A class by its name: its images, or its proxies alone. */
  function find(name) {
    const { cloud } = space;
    stage.over.focus({ preventScroll: true });
    const code = cloud.classes.indexOf(name);
    const rows = code >= 0 ? cloud.rows[code] : [];
    space.change({ find: name, solo: [] });
    space.travel.to(rows.length ? cloud.places(rows) : cloud.proxyPlaces(name));
    say(`${name}: ${rows.length ? images(rows.length) : "proxies only, no images here"}`);
  }

  /** Pictures of one kind come or go. @param {"pictures" | "examples"} kind */
  function toggle(kind, what) {
    if (!space.model.get("_atlas")?.tile) return say("there are no thumbnails to show");
    if (kind === "examples" && !space.cloud.examples.length) return say("there are no classes to show an image of");
    const on = !space.state[kind];
    space.change({ [kind]: on });
    say(`${what}: ${on ? "on" : "off"}`);
  }

  return {
    pictures: () => toggle("pictures", "images when zoomed in"),
    examples: () => toggle("examples", "one image of each class"),
    step, enter, escape,
    found: find,
    help: () => space.help.toggle(),
    find: () => bar.finder.focus(),
    zoom: (factor) => space.travel.zoom(factor),
    whole: () => space.travel.whole(),
    lasso: () => space.toggleLasso(),
    filter: () => space.filters.toggle(),
    density: () => space.densityPanel.next(),
    handles: () => space.handles.toggle(),
    views: () => space.views.toggle(),
    turnable: () => space.turns.offered,
    turn: (dx, dy) => space.turns.step(dx, dy),
    turning: () => space.turns.toggle(),
    front: () => space.turns.front(),
    undo: () => space.history.undo(),
    redo: () => space.history.redo(),
  };
}
