"""What optlint knows of the frameworks and their libraries: tables and small functions, one file a subject.

The interpreter asks them. They work on plain Python values and know nothing of syntax, values or rules.
"""
