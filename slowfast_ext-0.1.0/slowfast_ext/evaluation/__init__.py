"""Metrics as the data sets' own scripts compute them, and the files that hold them."""
