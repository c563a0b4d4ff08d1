"""Lists of jobs as CSV or JSON, from a file or an address."""
