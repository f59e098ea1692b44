"""The whiteboard of proxies and losses: :class:`~vptsp_widgets.sandbox.view.ProxySandbox`."""

from __future__ import annotations

from vptsp_widgets.sandbox.view import ProxySandbox

__all__ = ["ProxySandbox"]
