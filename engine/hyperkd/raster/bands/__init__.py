"""Band tables: wavelengths, validity, scale and nodata of a raster's bands, and their sources."""
