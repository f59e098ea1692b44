"""Analysis: numbers about finished runs. It knows no pictures; those are in :mod:`vptsp.figures`.

Read ``anatomy.py`` first: what a class's proxy is made of, measured on a run's stored files. ::

    anatomy         learned, semantic and fused proxies of every class, and what each is good for
    proxy_spaces    these three spaces of a run, and their nearness over its epochs
    maps            the proxies that stand on the map of a run's embeddings
    mantel          whether two kinds of distances between the same classes agree
    confusions      which classes are mistaken for which
    explain         why two images are close: where the model looks, which prompts bring them together
    projection      embeddings as points of a plane: UMAP, PCA
    aligned, replay  the epochs of a run in one frame: the frame; the run played again
    entries         what there is to compare: runs, and jobs of sweeps
    comparison      runs side by side, spread over seeds, differences that hold
    bootstrap       paired bootstrap of a difference
    trials          many small trainings beside each other
    parameter_formulas   VPTSP's parameter counts as formulas, beside the model's
    footprint, pace  training memory by the autograd graph; time of a step beside other methods
"""
