"""Pure arrays: wavelengths, responses, resampling and normalisation."""
