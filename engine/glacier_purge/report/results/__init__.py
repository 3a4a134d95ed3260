"""What commands answer programs with: each answer a type, from which its JSON Schema is written."""
