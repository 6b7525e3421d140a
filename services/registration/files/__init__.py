"""The edges of files: pieces that resume, and files handed out to whoever may read them."""
