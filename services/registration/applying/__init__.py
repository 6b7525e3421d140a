"""An application by its draft: begun without an account, filled part by part, checked, submitted and followed."""
