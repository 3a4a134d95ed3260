"""Amazon Glacier as seen by a client. Decides how a request is sent and what a reply means, never what to delete."""
