"""The networks of the families, as ``torch.nn`` modules.

Each module here imports torch and is itself imported only when one of its families is built. Every
constructor takes the family's parameters by name. Sizes may be symbolic integers (``torch.SymInt``),
so constructors and forward passes use ``+ - * //`` on them and never ``int``, ``range`` or ``if``.
"""
