"""Weather, prices and carbon of the hours to come, asked in each round of the planner; see README.md."""
