"""Networks with their true shapes, as traces at any phase, batch and sequence length."""

from dovetail.models.networks.registry import network, network_names

__all__ = ["network", "network_names"]
