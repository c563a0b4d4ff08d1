"""The node agent: pulls caps, holds the lease, sets this machine's GPUs, and falls back to the default set.

A cottage next door: it stands on leaves of ``models`` that need the standard library only, and talks to the service
over HTTP. Nothing here imports the roof, pydantic, NumPy or pandas (an import contract and a test hold that).
"""
