"""Pure core of the risk model."""
