"""The command line, one file per group; each is imported only when its command is called."""
