from . import units as units
from ._checks import ForwardModelError as ForwardModelError
from .electrodes import ElectrodeArray as ElectrodeArray
