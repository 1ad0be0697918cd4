"""Spectral libraries: files of measured spectra with names, wavelengths and units."""
