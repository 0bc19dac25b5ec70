from ._table import Table as Table
from .errors import MuemgError as MuemgError
from .recording import Recording as Recording
from .results import Decomposition as Decomposition
from .results import Simulation as Simulation
from .spikes import SpikeTrains as SpikeTrains

__version__: str
