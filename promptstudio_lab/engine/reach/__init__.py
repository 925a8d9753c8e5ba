"""What lies behind a node's context: approved code in a child process, and hosts by HTTP."""
