"""Everything that can say no before a delete is sent, and while deletes are being sent."""
