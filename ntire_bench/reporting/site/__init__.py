"""A board as a folder of pages: the ranking with plots, a page a team, crops of SR images side by side.

site.py writes the folder. points.py and team.py say what is shown, charts.py how it is drawn, crops.py cuts
the SR images that are compared, where telling.py says. What is in templates/ puts text into pages and
escapes it. folder.py writes files, and replaces only those of an earlier site.

Others import: site.
"""
