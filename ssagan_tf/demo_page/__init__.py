"""The page of `ssagan_tf.demo`: layout, the videos it makes, and the web application."""
