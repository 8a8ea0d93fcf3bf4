"""What the sinks that send pictures on are made of: H.264, RTP, RTSP, MJPEG, Foxglove."""
