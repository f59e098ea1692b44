"""Learned prompts: ``visual`` ones shared by all images, ``classes`` with rows per class (kept in a ``bank``),
``key_values`` that skip the projections, and ``locations`` other than tokens before the patches; ``pruning`` leaves the
least important out (``shares``: how many), ``dynamics`` hold those of successive blocks to one linear map.
"""
