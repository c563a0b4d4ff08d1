"""Slurm: its queue and placement, from ``squeue --json`` or slurmrestd."""
