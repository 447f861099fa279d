"""The paper's comparison of systems, run on procedural-skies-64 v1, whose true motion is known."""
