"""Exporters' pages and Prometheus' HTTP API; see README.md for fields and units."""
