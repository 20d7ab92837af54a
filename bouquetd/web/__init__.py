"""What the daemon serves over HTTP: metrics, health, and one page. Imported only where an address is set."""
