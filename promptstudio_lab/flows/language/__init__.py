"""How a notebook says what a flow is: node by node, each kind a method, each output a handle."""
