"""The workflows of the plugin, as YAML; a package, so that a file in it can be checked before the plugin is installed."""
