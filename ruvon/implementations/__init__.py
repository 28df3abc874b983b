"""Adapters: what stands behind the protocols of `ruvon.providers`. Import the module you need, by its own path."""
