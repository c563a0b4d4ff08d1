"""Telemetry that others send us: line protocol and JSON batches; see README.md for forms, types and units."""
