"""Figures, one per question: who fired when, how fast, what does a unit look like, how sure are we.

Public names are listed in ``__init__.pyi`` and loaded when first used, so that matplotlib is.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
