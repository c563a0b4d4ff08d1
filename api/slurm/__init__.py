"""The plan, told to Slurm: starts, pauses and a power budget. Pure decisions, and one hand that carries them out."""
