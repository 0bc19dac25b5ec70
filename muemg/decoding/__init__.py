"""From motor-unit spikes to decisions: classifiers tried on unseen trials, online decisions, neural commands."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
