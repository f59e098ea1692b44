"""Pretraining: how the bundled backbone was made, from nothing but a seed. Nobody needs it to use the workbench.

Read ``recipe.py`` first: the student, its losses, the loop. ::

    __main__        ``python -m vptsp.pretraining``, as ``make pretrain`` calls it
    recipe          the student, its losses and the loop
    generator       endless batches of generated classes, half glyphs, half objects
    glyphs, objects  generated handwriting; generated things
    draws           random draws and camera effects that both share
    descriptors     classical image descriptors, from which the targets are made
    measure         what frozen features are worth, with nothing trained
"""
