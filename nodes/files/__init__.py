"""What the sinks that write files of frames are made of."""
