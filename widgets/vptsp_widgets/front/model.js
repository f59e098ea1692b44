// The model that a view reads, sets and hears of: the widget's, or the stand-in of `host.js`.

/** Listens to several traits of the model; returns a function that ends it. */
export function onTraits(model, handlers) {
  for (const [name, act] of Object.entries(handlers)) model.on(`change:${name}`, act);
  return () => {
    for (const [name, act] of Object.entries(handlers)) model.off(`change:${name}`, act);
  };
}
