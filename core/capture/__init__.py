"""What a program of the user's own imports to record its requests; standard library only."""
