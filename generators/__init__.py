"""What makes images: degradations, classical restorers and restoration networks."""
