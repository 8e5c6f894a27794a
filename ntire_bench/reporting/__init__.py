"""A board in every format, and how steady a runtime was as text and picture.

`layout` says what is in the columns and cells, `captions` what stands below them. `render` chooses the
format: a table for the terminal, Markdown and LaTeX (`papers`), CSV and JSON (`export`), an HTML page
(`page`), or the challenge's results.txt. `site/` makes it a folder of pages. Style sheets and scripts of
pages are in `assets/`.

`audit_report` is the whole report of one evaluation. Two evaluations beside each other are `comparison_text`
and `crops_plot`, the images of one `images_text`, the answers of a gate for other programs `gate_reports`, a
team's numbers `factsheet`, what it is told of what it sent `feedback`.

`among` puts own rows beside a reference's, which `among_formats` writes; `codabench` is what its scoring
programs return.

Others import: among, among_formats, audit_report.audit_report, audit_report.markdown, captions, codabench,
comparison_text, crops_plot.plot_crops, export, factsheet, feedback.sheet, gate_reports, images_text, layout,
notebook.to_fragment, page, picture.refuse_other_suffix, ranking_table, render, stability_plot.plot,
stability_text.
"""
