"""The adapter over aioboto3: the lifecycle's control calls, and deletes where it is asked for."""
