"""One module a protocol family: octets -> fields of a row."""
