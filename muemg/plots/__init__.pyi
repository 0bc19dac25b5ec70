from .muaps import plot_muap as plot_muap
from .quality_strips import plot_quality as plot_quality
from .raster import plot_raster as plot_raster
from .rates import plot_rates as plot_rates
from .rates import smoothed_rates as smoothed_rates
from .sources import plot_source as plot_source
