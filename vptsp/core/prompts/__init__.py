"""Learned prompts: ``visual`` ones shared by all images, ``classes`` with rows per class (kept in a ``bank``), and
``locations`` other than tokens before the patches; ``dynamics`` hold those of successive blocks to one linear map.
"""
