"""Tests of dovetail.models.importers."""
