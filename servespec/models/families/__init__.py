"""Architecture families: one module each, found by the ``architectures`` that it declares."""
