"""The door: one file per command; arguments in, one call, report out."""
