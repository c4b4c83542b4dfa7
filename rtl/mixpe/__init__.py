"""MixPE's compute core: shift-and-add PEs, group sums, dequantisation after the group."""
