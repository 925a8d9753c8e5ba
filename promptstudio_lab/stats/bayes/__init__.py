"""Bayesian answers: the chance to win, what a wrong choice costs, and bandits."""
