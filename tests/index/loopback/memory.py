"""Where files that live for one test are kept: in memory, where there is room for them.

Qdrant Edge syncs each of the many files of an index, which takes seconds on a disk.
"""

import shutil
from pathlib import Path

__all__ = ["folder_in_memory"]

_MEMORY = Path("/dev/shm")
_NEEDED = 4 * 2**30


def folder_in_memory():
    """Return a folder in memory, or None, which stands for the usual one."""
    has_room = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _NEEDED
    return _MEMORY if has_room else None
