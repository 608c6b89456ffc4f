"""The ablation, in parts: grid, comparisons, report."""
