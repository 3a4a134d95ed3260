"""What is AWS's and not Glacier's: sessions, credentials, endpoints, TLS, and the two services beside."""
