"""Floating-point arithmetic: exact products, and additions that round once."""
