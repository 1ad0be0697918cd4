"""Networks for single spectra that simulated and measured truth teaches: no label is needed."""
