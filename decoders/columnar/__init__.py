"""Many frames -> columns: numba kernels, the decoder for large captures."""
