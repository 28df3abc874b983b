"""A payment terminal: ask the bank, and when the line is down decide by the floor limit and forward later."""
