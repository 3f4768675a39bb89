"""What runs in the emulators' own environments: an entry point for each, and the guard that both share.

Python starts an entry point as a script, so that it finds the guard beside it and nothing else of `runner`.
"""
