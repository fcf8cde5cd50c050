"""The editor server: what an editor shows while a program is written.

``server`` speaks the Language Server Protocol, ``documents`` knows what is open, ``translate`` turns findings into the
protocol's terms. The command line starts it; it asks the same engine as the command line does.
"""
