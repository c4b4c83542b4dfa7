"""M3ViT, a mixture-of-experts vision transformer, in floating point and in Edge-MoE's formats."""
