"""What proxies are made of: :class:`~vptsp_widgets.anatomy.view.ProxyAnatomy`."""

from __future__ import annotations

from vptsp_widgets.anatomy.view import ProxyAnatomy

__all__ = ["ProxyAnatomy"]
