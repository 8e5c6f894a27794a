"""The rules of an edition: `protocol`, beside the TOML files that it reads."""
