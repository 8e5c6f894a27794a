"""From a model file and a checkpoint to a network."""
