"""What lies around a file: the one door through which the analysis looks at the disk.

Knows text, and nothing of the syntax or meaning of it, so that the cache can ask without loading the analysis.
"""
