"""A loan: parallel checks, a child workflow for identity, routing by score, human review, and a saga over the payout."""
