"""The command line: the only importer of click, the only printer, the only exit code."""
