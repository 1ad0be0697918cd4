"""Statistics of vectors and spectra that the inference jobs need."""
