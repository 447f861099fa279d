"""The page of `ssagan_tf.demo`: what it makes, how it looks, and how it is served."""
