"""One file a command, and the arguments that they share."""
