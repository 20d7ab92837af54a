"""bouquetd: drop a file into a folder, find it in Chroma, within a fixed amount of memory."""

__version__ = "0.1.0"
