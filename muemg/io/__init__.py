"""Files: what a recording, its motor units and a simulation look like on disk, one module per format."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
