"""What every GEMM engine shares: tile loop, loader, scratchpads, accumulators, writer, control."""
