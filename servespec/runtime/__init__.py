"""Starting and stopping engines: host process or compose."""
