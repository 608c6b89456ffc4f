"""Checks of what is claimed of the method: small experiments, curvature, accountings of cost."""
