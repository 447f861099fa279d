"""Motion of a clip as velocities, and pictures warped by them.

Velocities are pixels a frame, x to the right and y down, each at the size of its own frames; those
of a `field.Field` are shares of each side of the picture, so of no size.
"""
