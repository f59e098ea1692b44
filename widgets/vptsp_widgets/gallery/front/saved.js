// A page without a kernel: it answers from the tables that were put into it.

import { int32, typed } from "../../front/bytes.js";
/** @import { Message, Model } from "../../front/model.js" */

/**
 * @param {Message} message
 * @param {Model} model
 */
export function answerFromTables(message, model, reply) {
  const { number } = message;
  if (message.kind === "list") {
    reply({ kind: "list", number, which: message.which, ...model.get("_table_lists")[message.which] });
  } else if (message.kind === "query") {
    const rows = int32(model.get("_table_rows"));
    const place = rows.indexOf(message.query.row);
    if (place < 0) {
      reply({ kind: "failed", number, text: "this page does not hold the answer to this image; open the run in a notebook" });
      return;
    }
    const part = (Kind, name) => {
      const all = typed(Kind, model.get(name));
      const width = all.length / rows.length;
      return [...all.slice(place * width, (place + 1) * width)];
    };
    const near = part(Int32Array, "_table_near").filter((row) => row >= 0);
    reply({
      kind: "result", number, rows: near,
      similarities: part(Float32Array, "_table_similarities").slice(0, near.length),
      label: int32(model.get("_labels"))[message.query.row],
      relevant: part(Int32Array, "_table_relevant")[0],
      ranks: part(Int32Array, "_table_ranks").filter((rank) => rank > 0),
      precision: part(Float32Array, "_table_precision")[0],
    });
  }
}
