"""The files near a step: what a wrong file name may have meant."""

import os
from collections.abc import Iterator
from pathlib import Path

MAX_FILES = 2000
MAX_FOLDERS = 50


def files_below(folder: Path) -> Iterator[str]:
    """Yield files below the step's folder, at most MAX_FILES, hidden ones left out."""
    left = MAX_FILES
    for root, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if not each.startswith(".")][:MAX_FOLDERS]
        for name in names:
            if left == 0:
                return
            left -= 1
            yield os.path.relpath(os.path.join(root, name), folder)
