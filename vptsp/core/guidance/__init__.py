"""DA-VPT's guidance (Ren et al., CVPR 2025, arXiv 2505.23694): prompts of the last blocks speak for groups of classes.

- :mod:`.prompts`: two banks of prompts, guided ones in some blocks and plain ones in the others;
- :mod:`.mapping`: which class is of which guided prompt, by k-means over class means;
- :mod:`.features`: what of an image is compared with the guided prompts of a block;
- :mod:`.loss`: how it is compared; :mod:`.guide` joins the last three and is what a model holds.

The method is what the code published with the paper computes when it is run (commit 1a5ac60), which is not all that
its options promise; where the two differ both are to be had, under names of their own.
"""
