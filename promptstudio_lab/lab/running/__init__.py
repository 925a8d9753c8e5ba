"""From a flow to results: plans, batches, costs, and runs that go on."""
