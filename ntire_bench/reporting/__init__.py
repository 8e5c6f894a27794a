"""A board in every format, and how steady a runtime was as text and picture.

`layout` says what is in the columns, cells and captions. `render` chooses the format: a table for the
terminal, Markdown, CSV, JSON and LaTeX (`export`), an HTML page (`page`), or the challenge's results.txt.
`site/` makes it a folder of pages. Style sheets and scripts of pages are in `assets/`.

`audit_report` is the whole report of one evaluation.

Others import: audit_report.audit_report, audit_report.markdown, export, layout, notebook.to_fragment,
page.asset, ranking_table, render, stability_plot.plot, stability_text.
"""
