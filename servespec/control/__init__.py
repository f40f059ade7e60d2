"""What a project says about findings: its configuration, ignores in comments, fixes.

``settings_for`` finds the configuration of a file, ``govern`` applies it and the ignores to a
report, ``fix`` makes the edits that findings propose, ``add_ignores`` makes a baseline.
"""
