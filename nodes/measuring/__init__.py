"""What `measure` is made of: options, readings, and the steering of a strobe."""
