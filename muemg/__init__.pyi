from . import datasets as datasets
from . import metrics as metrics
from . import muscle as muscle
from . import neurons as neurons
from . import plots as plots
from . import preprocessing as preprocessing
from . import separation as separation
from . import simulation as simulation
from ._table import Table as Table
from .errors import MuemgError as MuemgError
from .io import Contents as Contents
from .io import read as read
from .io import write as write
from .methods import decompose as decompose
from .metrics import Comparison as Comparison
from .metrics import compare as compare
from .recording import Recording as Recording
from .report import write_report as write_report
from .results import Decomposition as Decomposition
from .results import Simulation as Simulation
from .simulation import Scenario as Scenario
from .simulation import simulate as simulate
from .spikes import SpikeTrains as SpikeTrains

__version__: str
