from .muaps import plot_muap as plot_muap
from .quality_strips import plot_quality as plot_quality
from .raster import plot_raster as plot_raster
from .rates import plot_rates as plot_rates
from .rates import smoothed_rates as smoothed_rates
from .simulation import plot_simulation as plot_simulation
from .simulation import save_figure as save_figure
from .sources import plot_source as plot_source
