"""Who is there: motor units, where their fibres lie, and how fast they conduct."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
