"""What the campaigns of hostile input and output share."""
