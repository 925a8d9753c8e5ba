"""The engine: compiles a flow to a plan, runs it, and tells a sink what happened."""
