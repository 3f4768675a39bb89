"""One module for each page, with its JSON twin."""
