"""What the sources of live steps are made of: streams of bytes, and the vendor's library."""
