"""Shared by the servers (`demo`, `study`): access control, request limits and timeouts."""
