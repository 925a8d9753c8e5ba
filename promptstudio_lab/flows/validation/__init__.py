"""The rules that validation holds a flow against, by theme; `flows.validate` runs them all."""
