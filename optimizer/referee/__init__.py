"""The referee's chambers; :mod:`optimizer.verify` is the door.

Written from the contract alone, as an independent check of every planner: NumPy only, and nothing
of the parts, of Pyomo, of a solver or of the physics in ``models``.
"""
