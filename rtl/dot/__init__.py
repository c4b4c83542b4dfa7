"""Units of an array that broadcasts its operands: dot products of several k at a time."""
