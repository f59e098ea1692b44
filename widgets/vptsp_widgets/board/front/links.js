// Links to the files of a job, where JupyterLab's server has them.

import { make } from "../../front/dom.js";
/** @import { Job, Sweep } from "./sweep.js" */

const FILES = { notebook: "notebook.ipynb", log: "log.txt", report: "report.html" };

/**
 * Where JupyterLab's server has the file, and how a browser asks for it; null outside JupyterLab and its folder.
 * @param {string} path
 * @param {string} home
 */
function placeOf(path, home) {
  const element = document.getElementById("jupyter-config-data");
  if (!element) return null;
  const { serverRoot = "", baseUrl = "/" } = JSON.parse(element.textContent);
  const root = serverRoot.replace(/^~/, home).replace(/\/+$/, "");
  if (!serverRoot || !path.startsWith(`${root}/`)) return null;
  const relative = path.slice(root.length + 1);
  return { relative, base: baseUrl, encoded: relative.split("/").map(encodeURIComponent).join("/") };
}

/**
 * Nodes and texts, a link for each file; `whole`: with its path, a line for each.
 * @param {Sweep} sweep
 * @param {Job} job
 */
export function fileLinks(sweep, job, whole = false) {
  const { place: folder, home, folder: said } = sweep.head;
  return job.files.flatMap((kind, number) => {
    const path = `${folder}/${job.name}/${FILES[kind]}`;
    const found = sweep.live ? placeOf(path, home) : null;
    const gap = number ? [whole ? make("br") : " "] : [];
    const text = whole ? `${said}/${job.name}/${FILES[kind]}` : kind;
    if (!found) return [...gap, make("span", { className: "vptsp-faded", title: path }, text)];
    // a report runs scripts, which JupyterLab's own viewer would keep from running
    const address = kind === "report" ? `${found.base}files/${found.encoded}` : `${found.base}lab/tree/${found.encoded}`;
    const link = make("a", { href: address, target: "_blank", rel: "noopener", title: path, "aria-label": `${kind} of ${job.title}` }, text);
    if (kind !== "report") {
      link.dataset.commandlinkerCommand = "docmanager:open";
      link.dataset.commandlinkerArgs = JSON.stringify({ path: found.relative });
    }
    return [...gap, link];
  });
}
