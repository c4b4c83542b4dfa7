"""The baseline's compute core: INT8 multiplier PEs, weights dequantised before they enter."""
