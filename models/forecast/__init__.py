"""Forecasts with quantiles, their yardsticks and their scores; nothing peeks past the issue time."""
