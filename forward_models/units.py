"""SI factors, so that a length reads ``8 * mm`` and a potential ``50 * uV``."""

from __future__ import annotations

m = 1.0
cm = 1e-2
mm = 1e-3
um = 1e-6

s = 1.0
ms = 1e-3

V = 1.0
mV = 1e-3
uV = 1e-6

A = 1.0
nA = 1e-9

Hz = 1.0
kHz = 1e3
