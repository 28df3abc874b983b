"""A step type of one's own: RETRYABLE calls a function again until it works, with a growing delay."""
