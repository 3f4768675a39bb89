"""Upload complete files of the inbox to the source bucket."""
