"""What happens over time: quantiles of any window, changes, what is unusual, what comes next."""
