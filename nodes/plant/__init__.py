"""What the sinks to a plant's own systems are made of: MQTT, webhook, Prometheus."""
