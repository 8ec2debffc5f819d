"""Who may see which personal data: keyed pseudonyms, sealed fields, masking and recorded unmasking."""
