"""What puts the shop to the test: private servers, killed processes, cases whose outcome is known, and the tally."""
