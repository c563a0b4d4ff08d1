"""Many jobs: slot prices of power and GPUs tell each job when to run, and prove how good a plan is."""
