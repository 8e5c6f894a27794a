"""A board in every format, and how steady a runtime was as text and picture.

`layout` says what is in the columns, cells and captions. `render` chooses the format: a table for the
terminal, Markdown, CSV, JSON and LaTeX (`export`), an HTML page (`page`), or the challenge's results.txt.

`audit_report` is the whole report of one evaluation.

Others import: audit_report.audit_report, audit_report.markdown, export.document, notebook.to_fragment,
render, stability_plot.plot, stability_text.draw.
"""
