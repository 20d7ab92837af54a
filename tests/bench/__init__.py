"""What is measured on real documents and real daemons: findability, speed, memory."""
