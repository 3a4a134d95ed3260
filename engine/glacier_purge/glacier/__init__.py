"""Amazon Glacier as a client sees it: the ports, what replies mean, and how hours are waited for."""
