"""A preference study: subjects choose the more realistic of two clips, in a web page (Table 2)."""
