"""What `web` is made of: the server behind the page."""
