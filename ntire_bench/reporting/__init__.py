"""A board as a table, Markdown, CSV, JSON, LaTeX or a page; how steady a runtime was, as text and plot."""
