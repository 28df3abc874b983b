"""The files of pages."""
