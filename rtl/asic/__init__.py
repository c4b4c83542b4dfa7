"""Standard-cell synthesis: Liberty libraries, netlists of their cells, timing and energy."""
