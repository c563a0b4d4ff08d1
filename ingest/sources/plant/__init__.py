"""The simulated site as a source of telemetry."""
