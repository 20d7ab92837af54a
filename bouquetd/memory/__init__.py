"""Memory: what is used, what may be, and how to give it back."""
