"""LUT Tensor Core: tables of activation sums, looked up by weight bits."""
