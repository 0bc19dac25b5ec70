"""muemg: motor units from high-density EMG, and high-density EMG from motor units.

Public names are listed in ``__init__.pyi``; each loads its module when it is first used, so that
``import muemg`` stays quick.
"""

import lazy_loader as _lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
