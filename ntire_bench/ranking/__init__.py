"""From records to ranked rows: which count, the final score, noise, the gate."""
