"""Results of earlier runs, kept on the disk: what is stored, when it still holds, and where it lies.

The engine asks ``results.ResultCache``. Nothing in here imports the analysis, and nothing in here may fail a run.
"""
