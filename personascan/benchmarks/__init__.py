"""Timings of the scan, each beside plain NumPy on the same machine."""
