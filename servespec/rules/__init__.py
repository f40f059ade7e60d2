"""What can be wrong with a spec: rules as small functions with a card each."""
