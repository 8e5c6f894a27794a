"""What takes part: models/ and model_zoo/, what a submission declares, the baseline, what can be fetched."""
