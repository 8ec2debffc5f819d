"""Widgets and dashboards."""
