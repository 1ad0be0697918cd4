"""A file in one of GDAL's own file systems as a binary stream of Python."""

from __future__ import annotations

import io
import os
from typing import Any

from osgeo import gdal

from hyperkd.raster.gdal.local_names import require_local
from hyperkd.raster.gdal.restrictions import restricted


class _VsiFile(io.RawIOBase):
    @restricted()
    def __init__(self, name: str) -> None:
        require_local(name)
        self._file: Any = gdal.VSIFOpenL(name, "rb")
        if self._file is None:
            raise OSError(f"{name} cannot be opened")
        status = gdal.VSIStatL(name)
        self._size = 0 if status is None else int(status.size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    @restricted()
    def readinto(self, buffer: Any) -> int:
        found = gdal.VSIFReadL(1, len(buffer), self._file) or b""
        buffer[: len(found)] = bytes(found)
        return len(found)

    @restricted()
    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:  # GDAL would read a deflated file to its end
            offset, whence = offset + self._size, os.SEEK_SET
        gdal.VSIFSeekL(self._file, offset, whence)
        return self.tell()

    @restricted()
    def tell(self) -> int:
        return int(gdal.VSIFTellL(self._file))

    @restricted()
    def close(self) -> None:
        if not self.closed and self._file is not None:
            gdal.VSIFCloseL(self._file)
            self._file = None
        super().close()


def open_vsi_file(name: str) -> io.BufferedReader:
    """Return a file that GDAL reads, for instance one in a zip, as a stream.

    Raises:
        OSError: where GDAL cannot open it.
        HyperKDError: ``unsupported_raster`` where it does not lie on the machine.
    """
    return io.BufferedReader(_VsiFile(name))
