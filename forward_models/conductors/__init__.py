"""Volume conductors: what tissue does to a current, one file per geometry, all of them lead fields."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
