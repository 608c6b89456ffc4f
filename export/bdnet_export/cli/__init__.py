"""The command bdnet-export: one file for each of its commands."""
