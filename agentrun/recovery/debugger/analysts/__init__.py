"""Who says what is wrong, in this order: memory of what worked, rules, an agent. One file each."""
