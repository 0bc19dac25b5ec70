from .bad_channels import find_bad_channels as find_bad_channels
from .bandpass import band_pass as band_pass
from .power_line import remove_power_line as remove_power_line
