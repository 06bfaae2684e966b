"""What the sub-commands of ``replicap`` do; ``harness.cli`` parses their arguments."""
