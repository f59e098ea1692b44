"""Figures: pictures of numbers that :mod:`vptsp.analysis` computed; they compute nothing themselves.

Read ``signs_and_colours.py`` first, the signs and colours of everything that is shown, then ``runs.py``. ::

    signs_and_colours   signs of proxies, colours of classes, series and pages: of figures, stills and views
    palettes        colours of categories and numbers: of figures and of every view that shows a map
    template        the look of all plotly figures
    html            tables in inline styles
    runs            curves and results of runs
    embedding_map   embedded images with proxies among them
    comparison, comparison_tables   runs side by side
    published       what the papers published, as printed and beside one's own runs
    run_map         the map of a run's test images, with its proxies
    gallery         retrieval results and samples of data, in plain HTML
    proxies         how alike proxies are, and how well their images are found
    proxy_spaces    the three spaces of a run's proxies
    prompts         how prompts work: tokens, places, attention with and without
    parameters      what a model's parts count
    paper           figures of a run for a paper: PDF, SVG and PNG of one or two columns
    stills          any of the plotly figures as a PNG, for pages without JavaScript
"""
