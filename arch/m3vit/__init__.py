"""M3ViT and Edge-MoE: what reference, simulator and RTL share."""
