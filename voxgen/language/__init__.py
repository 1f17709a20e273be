"""Reply text → document → Scene."""
