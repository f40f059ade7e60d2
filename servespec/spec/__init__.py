"""The language: a spec's text becomes nodes with places, and a frozen :class:`Spec`."""
