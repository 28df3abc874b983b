"""An e-commerce order: quote, approval by a person for large orders, parallel checks, reservations, payment, saga."""
