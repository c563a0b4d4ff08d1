"""Where telemetry is kept: embedded (default), memory (reference and test double), InfluxDB."""
