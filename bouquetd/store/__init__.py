"""Where chunks are kept: shards in an embedded Chroma, and their repair."""
