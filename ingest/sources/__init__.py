"""Where facts come from: one folder or file per source."""
