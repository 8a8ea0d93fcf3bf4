"""What the sinks that answer over HTTP share: where they listen, who may come in, pictures, the way to the pipeline."""
