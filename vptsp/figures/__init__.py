"""Figures: pictures of numbers that :mod:`vptsp.analysis` computed; they compute nothing themselves.

Read ``runs.py`` first: the curves and tables of a run, and what all figures share. ::

    runs            curves, results and maps of runs; colours and the template of all figures
    comparison      runs side by side
    trials          many trials beside each other, and beside what the papers published
    maps            the map of a run's test images, with its proxies
    gallery         retrieval results and samples of data, in plain HTML
    proxies         how alike proxies are, and how well their images are found
    proxy_spaces    the three spaces of a run's proxies
    prompts         how prompts work: tokens, places, attention with and without
    parameters      what a model's parts count
    stills          any of the plotly figures as a PNG, for pages without JavaScript
"""
