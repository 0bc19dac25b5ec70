"""Physics of the surface and intramuscular EMG: a spike in a muscle fibre becomes a potential at an electrode.

Public names are listed in ``__init__.pyi``, which is read when a name is first used: importing the package,
or its plain-NumPy `ElectrodeArray`, loads no JAX.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
