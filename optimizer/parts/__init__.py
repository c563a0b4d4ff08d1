"""The site's parts: one file each, with its variables, rows and ledger terms; no part imports another."""
