"""Pure core of the talent model (planned)."""
