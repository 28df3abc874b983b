"""What the commands do where a server is named: the same questions and the same words, over HTTP.

A module for each room of the server, a function for each command; `ruvon.cli._remotely` calls them. The server drives what
goes on, so `--auto` waits and shows how it ended; who did something is whoever the key belongs to.
"""
