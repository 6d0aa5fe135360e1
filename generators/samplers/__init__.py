"""What makes images from a seed: nothing is restored, and only metrics that compare sets can judge them fairly."""
