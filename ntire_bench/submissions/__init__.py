"""What takes part: the files in models/ and model_zoo/, what they declare, the baseline, what can be fetched.

Nothing here runs a submission: a model file is read as a syntax tree, and no checkpoint is opened.

Others import: base_version, baseline_choice, branch.Branch, catalogue.Catalogue, changed,
declaration, fetching.pull, kernel_sources, models_folder, package_files, sent, shipped_examples.Folders,
shipped_examples.folders_without_own, spelling, submission, unpack, zoo.
"""
