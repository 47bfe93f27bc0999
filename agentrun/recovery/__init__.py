"""What follows from a failure: retries, adjustments, fallbacks, limits, breakers, budgets."""
