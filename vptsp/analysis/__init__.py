"""Analysis: numbers about finished runs. It knows no pictures; those are in :mod:`vptsp.figures`.

Read ``anatomy.py`` first: what a class's proxy is made of, measured on a run's stored files. ::

    anatomy         learned, semantic and fused proxies of every class, and what each is good for
    proxy_spaces    these three spaces of a run, and their nearness over its epochs
    proxies_on_map  the proxies that stand on the map of a run's embeddings
    proxy_handles   the proxy nearest to each image, if alpha were another or a proxy elsewhere
    proxy_forces    which proxies pull an image and which push it, by the run's own loss
    mantel          whether two kinds of distances between the same classes agree
    enrolment       new classes by a few images, beside those that were trained
    confusions      which classes are mistaken for which
    representatives  the image of each class that is nearest to its mean
    verification    are two images of one class: what each threshold of their cosine is worth
    image_pairs     the pairs it counts, and those that go wrong
    guided_prompts  which of DA-VPT's prompts speaks for which classes, and how that changes over the epochs
    explain         why two images are close: where the model looks, which prompts bring them together
    density         how many images lie where on a map, and the lines that enclose a share of them
    projection      embeddings as points of a plane: UMAP, PCA
    compiled_umap   UMAP, compiled once and not in every process
    aligned, replay  the epochs of a run in one frame: the frame; the run played again
    comparison      runs side by side, spread over seeds, differences that hold
    compared_run    one of them, and all that lie under a path
    experiment      those of equal settings, whatever their seed
    selection_metrics  what some images are worth in retrieval, and what would be without them
    resampling      its intervals
    distortion      where a map of embeddings can be trusted
    two_runs        the same images in two runs: who changed
    costs           what they cost: memory and time of a step
    wording         how the numbers of a comparison are printed
    significance    whether a difference holds: paired bootstrap over queries
    angles          angles between vectors
    parameter_formulas   VPTSP's parameter counts as formulas, beside the model's
    footprint, pace  training memory by the autograd graph; time of a step beside other methods
"""
