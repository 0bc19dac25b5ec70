"""Benchmarks: every method on the same recordings, judged by the same definitions, beside the bounds."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
