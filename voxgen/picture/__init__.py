"""Scene → pixels."""
