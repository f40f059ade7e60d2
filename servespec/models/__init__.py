"""What a checkpoint is: a configuration becomes :class:`servespec.models.facts.ModelFacts`."""
