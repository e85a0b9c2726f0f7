"""How much anybody may ask for: what is counted, of whom, and how all processes of a venue count together."""
