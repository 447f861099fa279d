"""Estimates the motion of a clip, and makes a photo move by it.

Velocities are in pixels per frame, x to the right and y down, at the size of their frames. Those of
a `field.Field` are fractions of the picture's width and height, so they fit pictures of any size.
"""
