"""Blind source separation of motor units from extended, whitened high-density EMG."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
