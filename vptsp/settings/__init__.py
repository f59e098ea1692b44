"""Settings: one validated configuration for everything, and what the papers published for it.

Read ``config.py`` first: every setting, its default and its meaning. ::

    config          the configuration; anything unknown or impossible is refused in a sentence
    agreement       which settings contradict each other
    methods         every tuning method as one entry: what it adds and what it trains
    tasks           metric learning and closed-set recognition, and the metrics that select and compare
    earlier         what runs did whose settings do not name it, because the setting came later
    compatibility   which methods a backbone can take
    losses          the loss of a configuration, tried on a small batch before anything else is done
    build           a model of a configuration: the only place that knows both settings and the core's constructors
    presets/        settings that ship with the package, and how a preset file is read
    published       VPTSP's published configuration files, key by key
    published_vpt   VPT's published configuration files, key by key
    paper_numbers   published results, to stand beside one's own
"""
