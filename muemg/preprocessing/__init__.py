"""Making a raw recording fit for separation: band-pass, power line, bad channels.

Public names are listed in ``__init__.pyi`` and loaded when first used, so that SciPy is.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
