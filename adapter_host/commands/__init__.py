"""The command line: arguments in, text out. Needs the extra `host`."""
