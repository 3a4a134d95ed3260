"""Which archives go and why the others stay, in a document that is approved once. Sends nothing, ever."""
