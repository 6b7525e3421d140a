"""How a message leaves: its words, its channel, its address."""
