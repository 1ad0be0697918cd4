"""TIFF files beyond what GDAL does: integrity, and streaming of deflated files."""
