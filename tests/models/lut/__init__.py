"""Tests of models/lut/."""
