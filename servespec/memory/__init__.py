"""Physics shared by the engines: weights per rank, KV bytes per token, the budget's terms."""
