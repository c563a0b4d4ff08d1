"""The conformance kit: a made-up service that tells the truth, lies and falls silent, and what an agent must do then.

``chergui agent-test`` runs any agent, given as a command line, through scripted cases and says which it passes. What
the agent does is seen in its reports, or by a command that prints the limits of its GPUs. Standard library only.
"""
