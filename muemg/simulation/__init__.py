"""Muscle, motor neurons and forward model together: a recording whose truth is known."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
