"""GDAL: the only modules that know osgeo."""
