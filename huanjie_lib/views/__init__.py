"""Results turned into summaries, tables, charts and maps; no widgets, no files."""
