"""A server's configuration, and a client."""
