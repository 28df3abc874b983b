"""The control plane: everything that the library does with workflows, over HTTP.

`ruvon_server.app.create_app` assembles the application; `ruvon serve` runs it.
"""
