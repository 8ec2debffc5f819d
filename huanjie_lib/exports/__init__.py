"""The only writer of deliverables."""
