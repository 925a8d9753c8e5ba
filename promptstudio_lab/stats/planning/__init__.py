"""How many units it takes, before and while an experiment runs."""
