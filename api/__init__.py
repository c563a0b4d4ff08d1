"""The doors (HTTP, pages, command line) and the wiring behind them."""
