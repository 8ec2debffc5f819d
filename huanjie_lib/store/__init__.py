"""Stores: run folders; later the ledgers of casework."""
