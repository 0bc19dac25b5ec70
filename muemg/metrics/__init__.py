"""What counts as right: matching of spike trains with the truth, and quality where there is no truth."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
