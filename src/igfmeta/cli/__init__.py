"""The command line: each command parses, calls and prints. No statistics here."""
