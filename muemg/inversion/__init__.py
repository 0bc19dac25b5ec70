"""Separation by inverting the forward model: motor units found together with their anatomy (BMISS)."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
