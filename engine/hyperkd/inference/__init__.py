"""Running a model over a raster. No torch."""
