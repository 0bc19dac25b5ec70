"""Limbs as the conductors see them: labelled slices and what they are drawn from."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
