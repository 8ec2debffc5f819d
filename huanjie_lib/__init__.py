"""Analytical workbench for village and community committee elections."""

__version__ = "0.1.0"
