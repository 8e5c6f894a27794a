"""What is stored of an evaluation, its schema, and which of its costs count."""
