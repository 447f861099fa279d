"""What the servers (`demo`, `study`) have in common: who may ask, how much, and how long."""
