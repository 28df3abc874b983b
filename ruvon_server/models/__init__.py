"""What operations are asked and answer: a module for each room, shared by the server and its clients."""
