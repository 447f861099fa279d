"""Recipes as flag files: `--flagfile=demo.cfg`. Installed as `ssagan_tf.configs`."""
