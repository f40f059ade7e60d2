"""Where model facts come from: catalogue, configuration file, local folder, Hub, lock file."""
