from ._vastus_lateralis import DownloadError as DownloadError
from ._vastus_lateralis import cache_folder as cache_folder
from ._vastus_lateralis import vastus_lateralis as vastus_lateralis
