"""Other ways to put a folder into Chroma, as their projects document them, each in its own environment."""
