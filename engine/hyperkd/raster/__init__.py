"""Rasters: reading and writing windows, band tables, grids, products."""
