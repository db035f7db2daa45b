"""What families there are: each a record of parameters, rules and input shapes, without torch."""
