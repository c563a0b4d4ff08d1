"""A site that is not there: the physics of pools, cooling, sun, wind, battery and grid, stepped at any speed."""
