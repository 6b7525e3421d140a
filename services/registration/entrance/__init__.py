"""The way in: the front page, signing in and out, one's sessions, what waits for one, and passes for every service."""
