"""What the end-to-end tests stand on: real processes, a real browser, raw requests."""
