"""A static linter that says when an optimizer will not train the model.

Holds the version only: importing the package must stay free of cost. The command line is ``optlint.cli``.
"""

__version__ = "0.1.0"
