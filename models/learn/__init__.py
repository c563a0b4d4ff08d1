"""What a site learns of itself: GPUs' curves, the cooling plant, and its jobs' run times."""
