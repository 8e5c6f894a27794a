"""A board in every format, and how steady a runtime was as text and picture.

`layout` says what is in the columns and cells, `captions` what stands below them. `render` chooses the
format: a table for the terminal, Markdown and LaTeX (`papers`), CSV and JSON (`export`), an HTML page
(`page`), or the challenge's results.txt.

`audit_report` is the whole report of one evaluation.

`among` puts own rows beside a reference's; `codabench` is what its scoring programs return.

Others import: among, audit_report.audit_report, audit_report.markdown, captions, codabench,
export.document, notebook.to_fragment, render, stability_plot.plot, stability_text.draw.
"""
