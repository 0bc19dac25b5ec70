from .bmiss import BMISS as BMISS
from .parameters import PARAMETERS as PARAMETERS
from .parameters import Parameter as Parameter
from .unit_model import UnitModel as UnitModel
