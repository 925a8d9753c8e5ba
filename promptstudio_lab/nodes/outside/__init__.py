"""What reaches beyond the flow: code, hosts, databases and people."""
