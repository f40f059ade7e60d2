"""Measured terms of an engine on a GPU, and how they mend the prediction there.

``servespec calibrate`` starts the engine on random weights for a list of specs and writes one row a
start; :mod:`.derive` turns rows into a :class:`.model.Calibration`; :mod:`.store` finds it beside the spec, so that
``check`` uses it for that GPU, engine and version, and names it.
"""
