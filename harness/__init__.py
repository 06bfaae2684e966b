"""From a table of packets to a verdict on every published figure."""
