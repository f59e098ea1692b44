// The place of a view that is being made: what it says of that, and word to Python that somebody sees it.

import { make } from "../../front/dom.js";
import { statusLine } from "../../front/status.js";
import { onTheme } from "../../front/theme.js";

/** @import { Front } from "../../front/model.js" */

/** @type {Front} */
export default {
  render({ model, el }) {
    const status = statusLine(model);
    const root = make("div", { className: "vptsp vptsp-workbench", role: "group", "aria-label": "being made" }, status.line);
    const ends = [onTheme(root), status.end];
    el.append(root);
    // after what is drawn beside it has asked for its thumbnails: making a view keeps the kernel busy
    const told = setTimeout(() => model.send({ kind: "shown" }), 100);
    return () => {
      clearTimeout(told);
      ends.forEach((end) => end());
      root.remove();
    };
  },
};
