"""Tests of dovetail.models.networks."""
