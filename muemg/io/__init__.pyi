from ._atomic import OutputError as OutputError
from ._contents import Contents as Contents
from ._files import read as read
from ._files import write as write
from ._registry import FORMATS as FORMATS
from ._registry import FileFormat as FileFormat
