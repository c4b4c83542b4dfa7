"""M3ViT's hardware: Edge-MoE's units in fixed point, and the blocks made of them."""
