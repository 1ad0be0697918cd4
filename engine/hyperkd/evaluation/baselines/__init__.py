"""Classical models on raw spectra, beside every network."""
