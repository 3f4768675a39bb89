"""The live page in a browser. It reads what the stack records, and acts through commands."""
