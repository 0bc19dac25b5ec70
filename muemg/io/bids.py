"""EMG-BIDS: folders of recordings with their sidecars, as archives and other programs expect them.

The Brain Imaging Data Structure (Gorgolewski et al. 2016) keeps a recording as EDF or BDF, and beside it
tables of channels, electrodes and events; electromyography is part of it since version 1.11.
"""

from muemg.io._bids_read import bids_recordings as bids_recordings
from muemg.io._bids_read import is_bids_file as is_bids_file
from muemg.io._bids_read import read_bids as read_bids
from muemg.io._bids_read import read_bids_file as read_bids_file
from muemg.io._bids_write import write_bids as write_bids
