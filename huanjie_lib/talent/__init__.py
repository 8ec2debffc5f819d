"""Pure core of the talent model: who may be proposed, who fits, lists, committees, cultivation and proofs."""
