"""servespec: a declarative compiler and validator for LLM serving."""
