"""What the spinal cord sends, read from motor-unit spike trains: rates, recruitment, common input, features."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
