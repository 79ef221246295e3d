"""How long a clump will live, told from its stamp."""
